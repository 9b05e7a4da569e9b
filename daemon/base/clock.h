// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/time/time.h"

namespace sluice {

// The one source of time; tests put a fake in its place.
//
// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Time since an arbitrary start of this boot. Never goes back.
  virtual absl::Duration MonotonicNow() const = 0;
};

// CLOCK_MONOTONIC.
//
// Thread-safe.
class RealClock final : public Clock {
 public:
  absl::Duration MonotonicNow() const override;
};

}  // namespace sluice
