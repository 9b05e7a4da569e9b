// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pressure_policy.h"

#include "daemon/policy/registry.h"
#include "gmock/gmock.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

PolicySpec Pressed(PolicySpec spec) {
  spec.triggers = TriggerSpec{.pressure = true};
  return spec;
}

PolicySpec L2Norm() { return Pressed({.preset = "l2norm", .budget_tokens = 4096}); }

JobRecipe PlanOf(const PolicySpec& spec, int64_t budget_tokens, const ModelFacts& model,
                 std::vector<int64_t> slots, int64_t length, bool rows_compete = true) {
  const PolicyPtr policy = *MakePolicy(spec, model);
  const auto pressed = UnderPressure(*policy, budget_tokens, model, rows_compete);
  EXPECT_TRUE(pressed.ok()) << pressed.status();
  std::vector<RowFacts> rows;
  for (const int64_t count : slots) rows.push_back({.slots = count});
  return (*pressed)->Plan(
      {length, (*pressed)->SnapshotTokens(length, 0, 0), 0, rows});
}

TEST(PressurePolicyTest, AllRowsShareOneSegmentWithTheSumOfTheirPlaces) {
  const JobRecipe recipe = PlanOf(L2Norm(), 40, UniformModel(2, 2), {100, 100, 30, 100}, 100);
  EXPECT_EQ(recipe.scorer, Scorer::kKeyNorm);
  EXPECT_THAT(recipe.count_segments,
              ElementsAre(RecipeSegment{.first_row = 0, .row_count = 4, .k = 150}));
  EXPECT_TRUE(recipe.segments.empty());
  EXPECT_EQ(recipe.at_least, 10);
  EXPECT_FALSE(recipe.evicts_nothing);
}

TEST(PressurePolicyTest, WhatThePolicyProtectsStaysProtected) {
  PolicySpec spec = L2Norm();
  spec.protect_first_tokens = 4;
  spec.protect_last_tokens = 16;
  const JobRecipe recipe = PlanOf(spec, 40, UniformModel(1, 2), {100, 100}, 100);
  // The last 16 are beyond the snapshot.
  EXPECT_THAT(recipe.count_segments,
              ElementsAre(RecipeSegment{
                  .first_row = 0, .row_count = 2, .k = 48, .protect_below_position = 4}));
}

TEST(PressurePolicyTest, SkippedLayersStayWholeAndDivideTheOthers) {
  PolicySpec spec = L2Norm();
  spec.skip_layers = {1};
  const JobRecipe recipe =
      PlanOf(spec, 40, UniformModel(4, 1), {100, 100, 100, 100}, 100);
  EXPECT_THAT(recipe.count_segments,
              ElementsAre(RecipeSegment{.first_row = 2, .row_count = 2, .k = 80}));
}

TEST(PressurePolicyTest, LayersOfDifferentWindowsDoNotCompete) {
  ModelFacts model = UniformModel(3, 2);
  model.layers[1].window_tokens = 64;
  const JobRecipe recipe = PlanOf(L2Norm(), 40, model, std::vector<int64_t>(6, 100), 100);
  ASSERT_EQ(recipe.count_segments.size(), 3u);
  EXPECT_EQ(recipe.count_segments[0].row_count, 2);
  EXPECT_EQ(recipe.count_segments[1].row_count, 2);
  EXPECT_EQ(recipe.count_segments[1].drop_below_position, 37);
  EXPECT_EQ(recipe.count_segments[2].row_count, 2);
}

TEST(PressurePolicyTest, EachRowKeepsWhatItHasAmongTheBest) {
  PolicySpec spec = L2Norm();
  spec.skip_layers = {0};
  const ModelFacts model = UniformModel(2, 2);
  const auto pressed = UnderPressure(**MakePolicy(spec, model), 40, model, true);
  const std::vector<RowFacts> rows(4, RowFacts{.slots = 100});
  const std::vector<int32_t> counts = {0, 0, 60, 20};
  const JobRecipe recipe = (*pressed)->Budget({100, 100, 0, rows}, counts);
  EXPECT_EQ(recipe.scorer, Scorer::kKeyNorm);
  EXPECT_EQ(recipe.at_least, 0);
  EXPECT_THAT(recipe.segments, ElementsAre(RecipeSegment{.first_row = 0, .k = 100},
                                           RecipeSegment{.first_row = 1, .k = 100},
                                           RecipeSegment{.first_row = 2, .k = 60},
                                           RecipeSegment{.first_row = 3, .k = 20}));
}

TEST(PressurePolicyTest, WithoutScoresEachRowKeepsItsSinksAndWindow) {
  const PolicySpec spec =
      Pressed({.preset = "sink_window", .sink_tokens = 4, .recent_tokens = 16});
  const JobRecipe recipe = PlanOf(spec, 50, UniformModel(1, 2), {100, 100}, 100);
  EXPECT_EQ(recipe.at_least, 0);
  const RecipeSegment kept{.first_row = 0, .k = 4, .protect_below_position = 4};
  ASSERT_EQ(recipe.segments.size(), 2u);
  EXPECT_EQ(recipe.segments[0], kept);
}

TEST(PressurePolicyTest, RowsKeepToTheirOwnWhereTheyAreNotToCompete) {
  const JobRecipe recipe =
      PlanOf(L2Norm(), 40, UniformModel(1, 2), {100, 100}, 100, /*rows_compete=*/false);
  EXPECT_THAT(recipe.segments, ElementsAre(RecipeSegment{.first_row = 0, .k = 40},
                                           RecipeSegment{.first_row = 1, .k = 40}));
  EXPECT_EQ(recipe.at_least, 0);
}

TEST(PressurePolicyTest, ABudgetBelowWhatIsProtectedIsRefused) {
  PolicySpec spec = L2Norm();
  spec.protect_last_tokens = 16;
  const PolicyPtr policy = *MakePolicy(spec, UniformModel(1, 1));
  EXPECT_EQ(policy->protected_tokens(), 16);
  ExpectRefused(UnderPressure(*policy, 15, UniformModel(1, 1), true).status(), "budget_tokens");
}

TEST(PressurePolicyTest, SinksAndWindowAreWhatASinkWindowProtects) {
  const PolicySpec spec =
      Pressed({.preset = "sink_window", .sink_tokens = 4, .recent_tokens = 16});
  EXPECT_EQ((*MakePolicy(spec, UniformModel(1, 1)))->protected_tokens(), 20);
}

}  // namespace
}  // namespace sluice
