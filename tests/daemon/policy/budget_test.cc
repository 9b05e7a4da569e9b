// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/ratio_budget.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr auto kKept = Ratio::Of::kKept;
constexpr auto kRemoved = Ratio::Of::kRemoved;
constexpr auto kCeil = Ratio::Rounding::kCeil;
constexpr auto kFloor = Ratio::Rounding::kFloor;

TEST(KeptOfTest, RoundsUpTheProductAsDoublesGiveIt) {
  EXPECT_EQ(KeptOf({0.55, kKept, kCeil}, 100), 56);
  EXPECT_EQ(KeptOf({0.07, kKept, kCeil}, 100), 8);
  EXPECT_EQ(KeptOf({0.6, kKept, kCeil}, 13), 8);
  EXPECT_EQ(KeptOf({0.98, kKept, kCeil}, 1000), 980);
  EXPECT_EQ(KeptOf({0.5, kKept, kCeil}, 4), 2);
}

TEST(KeptOfTest, RoundsOneMinusTheRemovedShareFirst) {
  EXPECT_EQ(KeptOf({0.9, kRemoved, kFloor}, 100), 9);
  EXPECT_EQ(KeptOf({0.8, kRemoved, kFloor}, 100), 19);
  EXPECT_EQ(KeptOf({0.5, kRemoved, kFloor}, 5), 2);
  EXPECT_EQ(KeptOf({0.4, kRemoved, kFloor}, 13), 7);
  EXPECT_EQ(KeptOf({0.0, kRemoved, kFloor}, 100), 100);
}

TEST(KeptOfTest, KeepsOneAtLeastAndNeverMoreThanThereAre) {
  EXPECT_EQ(KeptOf({0.99, kRemoved, kFloor}, 10), 1);
  EXPECT_EQ(KeptOf({0.001, kKept, kFloor}, 10), 1);
  EXPECT_EQ(KeptOf({1.0, kKept, kCeil}, 7), 7);
  EXPECT_EQ(KeptOf({0.5, kKept, kCeil}, 0), 0);
}

TEST(RatioBudgetTest, LeavesShorterRowsAlone) {
  const RatioBudget budget({0.5, kKept, kCeil}, 10);
  EXPECT_EQ(budget.TargetSlots(9), 9);
  EXPECT_EQ(budget.TargetSlots(10), 5);
  EXPECT_EQ(budget.TargetSlots(11), 6);
  EXPECT_EQ(budget.ActsFromSlots(0), 10);
}

TEST(FlatBudgetTest, KeepsItsTokensOfEveryLongerRow) {
  const FlatBudget budget(100);
  EXPECT_EQ(budget.TargetSlots(99), 99);
  EXPECT_EQ(budget.TargetSlots(101), 100);
}

TEST(FlatBudgetTest, ActsOnlyWhereSomethingWouldGo) {
  const FlatBudget budget(100);
  EXPECT_EQ(budget.ActsFromSlots(0), 101);
  EXPECT_EQ(budget.ActsFromSlots(1), 101);
  EXPECT_EQ(budget.ActsFromSlots(32), 132);
}

}  // namespace
}  // namespace sluice
