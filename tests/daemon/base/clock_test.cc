// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/clock.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace sluice {
namespace {

TEST(RealClockTest, NeverGoesBack) {
  const RealClock clock;
  absl::Duration last = clock.MonotonicNow();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.MonotonicNow();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(FakeClockTest, MovesOnlyWhenAdvanced) {
  FakeClock clock;
  const absl::Duration start = clock.MonotonicNow();
  EXPECT_EQ(clock.MonotonicNow(), start);
  clock.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(clock.MonotonicNow() - start, absl::Milliseconds(1500));
}

}  // namespace
}  // namespace sluice
