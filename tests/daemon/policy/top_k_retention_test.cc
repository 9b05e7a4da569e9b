// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/top_k_retention.h"

#include <limits>

#include "daemon/policy/flat_budget.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

RowState FullRow(int64_t slots) { return {.row = 3, .slots = slots}; }

TEST(TopKRetentionTest, HotTokensCountAgainstTheBudget) {
  const RecipeSegment segment =
      KeepBest(FullRow(90), {.tokens = 90, .length_tokens = 100}, FlatBudget(40), {});
  EXPECT_EQ(segment, (RecipeSegment{.first_row = 3, .k = 30}));
}

TEST(TopKRetentionTest, AHotTailBeyondTheBudgetLeavesNothingBelow) {
  const RecipeSegment segment =
      KeepBest(FullRow(50), {.tokens = 50, .length_tokens = 100}, FlatBudget(40), {});
  EXPECT_EQ(segment.k, 0);
}

TEST(TopKRetentionTest, FirstTokensStayEvenBeyondTheBudget) {
  const RecipeSegment segment = KeepBest(FullRow(50), {.tokens = 50, .length_tokens = 100},
                                         FlatBudget(40), {.first_tokens = 4, .last_tokens = 50});
  EXPECT_EQ(segment.k, 4);
  EXPECT_EQ(segment.protect_below_position, 4);
  EXPECT_EQ(segment.protect_from_position, kNever);
}

TEST(TopKRetentionTest, RecentTokensBelowTheSnapshotAreProtected) {
  const RecipeSegment segment = KeepBest(FullRow(60), {.tokens = 95, .length_tokens = 100},
                                         FlatBudget(30), {.first_tokens = 4, .last_tokens = 20});
  EXPECT_EQ(segment.protect_from_position, 80);
  EXPECT_EQ(segment.k, 25);
}

TEST(TopKRetentionTest, WhatLiesBehindTheWindowGoesFirst) {
  RowState row = FullRow(100);
  row.window_tokens = 16;
  const Snapshot snapshot{.tokens = 100, .length_tokens = 100};
  EXPECT_EQ(VisibleSlots(row, snapshot), 15);
  EXPECT_EQ(KeepWhole(row, snapshot), (RecipeSegment{.first_row = 3, .k = 15,
                                                     .drop_below_position = 85}));
  EXPECT_EQ(KeepBest(row, snapshot, FlatBudget(10), {}).k, 10);
  EXPECT_TRUE(MayEvict(KeepWhole(row, snapshot), row));
}

TEST(TopKRetentionTest, SinksBehindTheWindowLeaveNoPlaceForOthers) {
  RowState row = FullRow(92);
  row.window_tokens = 16;
  const RecipeSegment segment =
      KeepBest(row, {.tokens = 92, .length_tokens = 100}, FlatBudget(12),
               {.first_tokens = 4, .last_tokens = 8, .only_protected = true});
  EXPECT_EQ(segment.drop_below_position, 77);
  EXPECT_EQ(segment.k, 0);
}

TEST(TopKRetentionTest, SharedTokensAreKeptWhole) {
  RowState row = FullRow(70);
  row.shared_tokens = 50;
  row.shared_slots = 30;
  const RecipeSegment segment = KeepBest(row, {.tokens = 100, .length_tokens = 100},
                                         FlatBudget(20), {.first_tokens = 4});
  EXPECT_EQ(segment.k, 30);
  EXPECT_EQ(segment.protect_below_position, 50);
}

TEST(TopKRetentionTest, ARowWithinItsBudgetLosesNothing) {
  const Snapshot snapshot{.tokens = 20, .length_tokens = 20};
  EXPECT_FALSE(MayEvict(KeepBest(FullRow(20), snapshot, FlatBudget(20), {}), FullRow(20)));
  EXPECT_TRUE(MayEvict(KeepBest(FullRow(20), snapshot, FlatBudget(19), {}), FullRow(20)));
}

TEST(TopKRetentionTest, AnEmptyRowLosesNothing) {
  RowState row = FullRow(0);
  row.window_tokens = 16;
  const Snapshot snapshot{.tokens = 100, .length_tokens = 120};
  EXPECT_FALSE(MayEvict(KeepBest(row, snapshot, FlatBudget(4), {}), row));
}

}  // namespace
}  // namespace sluice
