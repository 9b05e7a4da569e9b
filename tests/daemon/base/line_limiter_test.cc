// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_limiter.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(LineLimiterTest, HoldsBackRepeatsWithinASecond) {
  LineLimiter limiter;
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(5)), 0);
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(5)), std::nullopt);
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(5.9)), std::nullopt);
}

TEST(LineLimiterTest, SaysHowManyWereHeldBack) {
  LineLimiter limiter;
  limiter.Admit("a", absl::Seconds(5));
  for (int i = 0; i < 3; ++i) limiter.Admit("a", absl::Seconds(5.5));
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(6)), 3);
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(7)), 0);
}

TEST(LineLimiterTest, KindsDoNotHoldEachOtherBack) {
  LineLimiter limiter;
  EXPECT_EQ(limiter.Admit("a", absl::Seconds(5)), 0);
  EXPECT_EQ(limiter.Admit("b", absl::Seconds(5)), 0);
}

TEST(LineLimiterTest, KindsBeyondTheTableCountAsOne) {
  LineLimiter limiter;
  int passed = 0;
  for (int i = 0; i < 5000; ++i) {
    if (limiter.Admit(absl::StrCat("kind", i), absl::Seconds(5))) ++passed;
  }
  EXPECT_EQ(passed, 1025);
  EXPECT_EQ(limiter.Admit("late", absl::Seconds(6)), 0);  // the table has room again
}

}  // namespace
}  // namespace sluice
