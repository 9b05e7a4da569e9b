// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/engine/core.h"

namespace sluice {

// What was on its way back to the pool at one moment: what somebody who lacks
// pages waits for, but not for what others give up later. It comes by itself: it
// is queued first, and then retired until the lanes have passed.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class ComingMemory {
 public:
  // What is on its way now.
  explicit ComingMemory(const Core& core)
      : queued_count_(core.cache.reclaim_queue().queued_count()) {}

  // Whether some of it is still queued.
  bool SomeIsQueued(const Core& core) const {
    return core.cache.reclaim_queue().passed_count() < queued_count_;
  }

  // Whether some of it is not free yet.
  bool SomeStillComes(const Core& core) {
    if (!retired_.has_value()) {
      if (SomeIsQueued(core)) return true;
      retired_ = core.submitted();
    }
    return core.cache.HoldsRetired(*retired_);
  }

 private:
  int64_t queued_count_;               // ReclaimQueue::queued_count
  std::optional<LaneTickets> retired_;  // set once that much was dropped
};

}  // namespace sluice
