// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

// A counter that threads wait on: the one thing that wakes the engine thread.
//
// Raised by a backend when an operation ends, and by whoever puts work into
// the engine's queue. Thread-safe. A waiter spins briefly before it sleeps.
class CompletionSignal {
 public:
  // The value to pass to Wait; read it before looking for work.
  uint32_t value() const { return value_.load(std::memory_order_acquire); }

  // Adds one and wakes the waiter, if one sleeps.
  void Raise();

  // Returns once the value differs from `seen`, or after `timeout_ms` (negative: none).
  void Wait(uint32_t seen, int64_t timeout_ms);

 private:
  std::atomic<uint32_t> value_{0};
  std::atomic<uint32_t> sleepers_{0};
};

}  // namespace sluice
