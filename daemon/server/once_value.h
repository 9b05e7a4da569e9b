// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace sluice {

// A value that one thread sets and another waits for.
//
// Thread-safe.
template <class T>
class OnceValue {
 public:
  // REQUIRES: called once.
  void Set(T value) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    value_ = std::move(value);
    set_.SignalAll();
  }

  // The value, or nullopt if it is not set within `timeout`. Takes it away.
  std::optional<T> WaitFor(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mu_) {
    const absl::Time deadline = absl::Now() + timeout;
    MutexLock lock(&mu_);
    while (!value_) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      set_.WaitFor(&mu_, left);
    }
    return std::exchange(value_, std::nullopt);
  }

 private:
  Mutex mu_;
  CondVar set_;
  std::optional<T> value_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sluice
