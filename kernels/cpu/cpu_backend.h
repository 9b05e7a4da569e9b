// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "kernels/completion_signal.h"
#include "kernels/core/view.h"
#include "kernels/cpu/lane_queue.h"
#include "kernels/cpu/lane_works.h"
#include "kernels/cpu/worker_pool.h"

namespace sluice {

// Runs operations on the cores of this machine, vectorised for what they are
// found to be.
//
// Results depend neither on the number of threads nor on what else runs.
// Thread-safety: as Backend.
class CpuBackend : public Backend {
 public:
  struct Options {
    PoolView pool;
    int32_t threads = 0;                 // 0: one a core
    CompletionSignal* signal = nullptr;  // raised after every operation; outlives the backend
  };

  explicit CpuBackend(const Options& options);

  Ticket Submit(Lane lane, const Operation& operation) override;
  void After(Lane lane, Ticket ticket) override;
  Ticket Submitted(Lane lane) const override;
  Ticket Completed(Lane lane) const override;
  void SetBackgroundShare(double share) override { workers_.SetLastLaneShare(share); }
  void SetQuiet(bool quiet) override;
  void Help() override;
  void WaitIdle() override;
  void Clear(std::byte* memory, int64_t bytes) override;

  const char* name() const override { return "cpu"; }
  PageLayout page_layout() const override { return PageLayout::kGroup16; }
  const char* description() const override { return description_.c_str(); }

 private:
  struct LaneState {
    explicit LaneState(const PoolView& pool) : works(pool), queue(&works) {}

    cpu::LaneWorks works;
    cpu::LaneQueue queue;
  };

  cpu::LaneQueue& QueueOf(Lane lane) {
    return lane == Lane::kForeground ? foreground_.queue : background_.queue;
  }
  const cpu::LaneQueue& QueueOf(Lane lane) const {
    return lane == Lane::kForeground ? foreground_.queue : background_.queue;
  }

  const PoolView pool_;
  bool quiet_ = false;
  LaneState foreground_;
  LaneState background_;
  CompletionSignal passed_;  // WaitIdle's
  cpu::WorkerPool workers_;  // last: its threads use all of the above
  std::string description_;
};

}  // namespace sluice
