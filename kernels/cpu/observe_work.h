// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/observation.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Observe. An item is a run of tokens.
class ObserveWork : public Work {
 public:
  // `pool` outlives the object.
  explicit ObserveWork(const PoolView& pool) : pool_(pool) {}

  void Set(const ObserveArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  // Tokens of one entry that are kept, and where.
  struct TokenRun {
    std::byte* ring = nullptr;
    ObservationLayout layout;
    int64_t call_token = 0;  // of the first one, among the call's tokens
    int64_t position = 0;    // of the first one
    int64_t tokens = 0;
  };

  void AddEntry(const ViewEntry& entry);

  const PoolView& pool_;
  ObserveArgs args_;
  std::vector<TokenRun> runs_;
  std::vector<int64_t> item_starts_;  // in runs_, and their end
};

// CarryObservations. An item is a ring.
class CarryObservationsWork : public Work {
 public:
  explicit CarryObservationsWork(const PoolView&) {}

  void Set(const CarryObservationsArgs& args) { args_ = args; }

  int64_t Plan() override { return args_.ring_count; }
  void Run(int64_t item, WorkerScratch&) override {
    CarryObservation(args_.rings[item].source, args_.layout, args_.length,
                     args_.rings[item].ring);
  }

 private:
  CarryObservationsArgs args_;
};

}  // namespace sluice::cpu
