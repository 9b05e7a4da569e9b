// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/core/view.h"

namespace sluice::cpu {

// An operation that writes more goes past the caches: who reads it next would
// not find it there.
inline constexpr int64_t kStreamBytes = int64_t{8} << 20;

// How many items of `divisor` cover `value` >= 0.
constexpr int64_t CeilDivide(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

// Makes room for `size` elements in a buffer that only grows.
template <class T>
void GrowTo(int64_t size, std::vector<T>* buffer) {
  if (static_cast<int64_t>(buffer->size()) < size) buffer->resize(static_cast<size_t>(size));
}

// One worker thread's own memory, for the life of the pool.
struct WorkerScratch {
  int32_t worker = 0;          // 0 .. workers - 1; `workers`: who helps
  std::byte* data = nullptr;   // 64-byte aligned
  int64_t bytes = 0;
};

// What a lane's current operation does, cut into items that any worker may run
// in any order. One object per kind and lane, reused for every operation; its
// buffers only grow.
//
// The items form one phase or several: all items of a phase have run before
// NextPhase is called and the next phase starts. Plan, NextPhase and Finish are
// each called by one worker; Run by several at once, every item of a phase
// exactly once. The results depend on neither the workers' number nor their
// order.
class Work {
 public:
  virtual ~Work() = default;

  // Reads the operation and returns the items of its first phase; 0: nothing
  // to do, and nothing else is called. An item takes at most 0.5 ms in the
  // foreground and 0.1 ms in the background.
  virtual int64_t Plan() = 0;
  virtual void Run(int64_t item, WorkerScratch& scratch) = 0;
  // The items of the next phase; 0: there is none, and Finish comes.
  virtual int64_t NextPhase() { return 0; }
  virtual void Finish() {}
};

}  // namespace sluice::cpu
