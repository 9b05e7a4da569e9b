// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/view.h"

namespace sluice::cpu {

// One worker thread's own memory, for the life of the pool.
struct WorkerScratch {
  int32_t worker = 0;          // 0 .. workers - 1
  std::byte* data = nullptr;   // 64-byte aligned
  int64_t bytes = 0;
};

// What a lane's current operation does, cut into items that any worker may run
// in any order. One object per kind and lane, reused for every operation; its
// buffers only grow.
//
// Plan and Finish are each called by one worker; Run by several at once, every
// item exactly once, after Plan and before Finish. The results depend on
// neither the workers' number nor their order.
class Work {
 public:
  virtual ~Work() = default;

  // Reads the operation and returns its number of items (0: nothing to do).
  // An item takes at most 0.5 ms in the foreground and 0.1 ms in the background.
  virtual int64_t Plan() = 0;
  virtual void Run(int64_t item, WorkerScratch& scratch) = 0;
  virtual void Finish() {}
};

}  // namespace sluice::cpu
