// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/time/time.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace sluice {

// A clock that stands still until a test moves it.
//
// Thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Duration MonotonicNow() const override {
    MutexLock lock(&mu_);
    return now_;
  }

  void Advance(absl::Duration by) {
    MutexLock lock(&mu_);
    now_ += by;
  }

 private:
  mutable Mutex mu_;
  absl::Duration now_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

}  // namespace sluice
