// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// SumScores. An item is a row.
class SumScoresWork : public Work {
 public:
  // `pool` outlives the object.
  explicit SumScoresWork(const PoolView& pool) : pool_(pool) {}

  void Set(const SumScoresArgs& args) { args_ = args; }

  int64_t Plan() override { return args_.rows.row_count; }
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  const PoolView& pool_;
  SumScoresArgs args_;
};

}  // namespace sluice::cpu
