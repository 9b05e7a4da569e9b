// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/completion_signal.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <climits>

namespace sluice {
namespace {

using Clock = std::chrono::steady_clock;

// A sleep and its wake-up cost about this long, so spinning longer never pays.
constexpr std::chrono::microseconds kSpin{50};

// Values read between two looks at the clock.
constexpr int kReadsPerClockRead = 16;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

bool SpinUntilChanged(const std::atomic<uint32_t>& value, uint32_t seen) {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kReadsPerClockRead; ++i) {
      if (value.load(std::memory_order_acquire) != seen) return true;
      Pause();
    }
    // Whoever is to raise it may be waiting for this very core.
    sched_yield();
  } while (Clock::now() < end);
  return false;
}

void FutexWait(const std::atomic<uint32_t>& value, uint32_t seen, const timespec* timeout) {
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&value), FUTEX_WAIT_PRIVATE, seen, timeout,
          nullptr, 0);
}

void FutexWakeAll(const std::atomic<uint32_t>& value) {
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&value), FUTEX_WAKE_PRIVATE, INT_MAX,
          nullptr, nullptr, 0);
}

timespec ToTimespec(std::chrono::nanoseconds duration) {
  timespec result{};
  result.tv_sec = static_cast<time_t>(duration.count() / 1'000'000'000);
  result.tv_nsec = static_cast<long>(duration.count() % 1'000'000'000);
  return result;
}

}  // namespace

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is a plain word");

void CompletionSignal::Raise() {
  // Sequentially consistent with the waiter's increment and its re-read: one of
  // the two sees the other's write, so no wake-up is lost.
  value_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) FutexWakeAll(value_);
}

void CompletionSignal::Wait(uint32_t seen, int64_t timeout_ms) {
  if (value_.load(std::memory_order_acquire) != seen || timeout_ms == 0) return;
  const bool forever = timeout_ms < 0;
  const Clock::time_point deadline =
      Clock::now() + std::chrono::milliseconds(forever ? 0 : timeout_ms);
  if (SpinUntilChanged(value_, seen)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == seen) {
    timespec remaining{};
    if (!forever) {
      const std::chrono::nanoseconds left = deadline - Clock::now();
      if (left.count() <= 0) break;
      remaining = ToTimespec(left);
    }
    FutexWait(value_, seen, forever ? nullptr : &remaining);
  }
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace sluice
