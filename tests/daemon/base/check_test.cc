// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/check.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(CheckTest, PassesWithoutEvaluatingTheMessage) {
  int evaluated = 0;
  SLUICE_CHECK(1 + 1 == 2) << "seen " << ++evaluated;
  EXPECT_EQ(evaluated, 0);
}

TEST(CheckTest, IsOneStatementInAnUnbracedBranch) {
  bool reached_else = false;
  if (reached_else)
    SLUICE_CHECK(true);
  else
    reached_else = true;
  EXPECT_TRUE(reached_else);
}

TEST(CheckDeathTest, AbortsWithPlaceConditionAndMessage) {
  const int page = 7;
  EXPECT_DEATH(SLUICE_CHECK(page < 0) << "page " << page,
               "check_test.cc:[0-9]+: check failed: page < 0 page 7");
}

}  // namespace
}  // namespace sluice
