// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/row_budget_policy.h"

#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"

namespace sluice {
namespace {

PolicyPtr Make(const PolicySpec& spec, const ModelFacts& model) {
  const auto policy = MakePolicy(spec, model);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

PolicySpec Count(int64_t budget_tokens) {
  return {.preset = "l2norm", .budget_tokens = budget_tokens};
}

std::vector<RowFacts> Rows(std::vector<int64_t> slots) {
  std::vector<RowFacts> rows;
  for (const int64_t count : slots) rows.push_back({.slots = count});
  return rows;
}

TEST(RowBudgetPolicyTest, EveryRowIsASegmentWithTheBudget) {
  const PolicyPtr policy = Make(Count(30), UniformModel(2, 2));
  const std::vector<RowFacts> rows = Rows({100, 100, 20, 31});
  const JobRecipe recipe = policy->Plan({100, 100, 0, rows});
  EXPECT_EQ(recipe.scorer, Scorer::kKeyNorm);
  EXPECT_FALSE(recipe.evicts_nothing);
  ASSERT_EQ(recipe.segments.size(), 4u);
  EXPECT_EQ(recipe.segments[0], (RecipeSegment{.first_row = 0, .k = 30}));
  EXPECT_EQ(recipe.segments[2], (RecipeSegment{.first_row = 2, .k = 20}));
  EXPECT_EQ(recipe.segments[3], (RecipeSegment{.first_row = 3, .k = 30}));
}

TEST(RowBudgetPolicyTest, SkippedLayersAreKeptWholeAndDoNotCount) {
  PolicySpec spec = Count(30);
  spec.skip_layers = {1};
  const PolicyPtr policy = Make(spec, UniformModel(3, 2));
  const std::vector<RowFacts> rows = Rows({40, 40, 100, 100, 40, 41});
  EXPECT_EQ(policy->MostSlots(rows), 41);
  const JobRecipe recipe = policy->Plan({100, 100, 0, rows});
  EXPECT_EQ(recipe.segments[1].k, 30);
  EXPECT_EQ(recipe.segments[2].k, 100);
  EXPECT_EQ(recipe.segments[3].k, 100);
  EXPECT_EQ(recipe.segments[4].k, 30);
}

TEST(RowBudgetPolicyTest, AJobThatWouldEvictNothingSaysSo) {
  const PolicyPtr policy = Make(Count(30), UniformModel(1, 2));
  EXPECT_TRUE(policy->Plan({30, 30, 0, Rows({30, 12})}).evicts_nothing);
  EXPECT_FALSE(policy->Plan({31, 31, 0, Rows({30, 31})}).evicts_nothing);
}

TEST(RowBudgetPolicyTest, TheAuthorsThresholdHoldsForEachRow) {
  PolicySpec spec{.preset = "l2norm", .prune_after_tokens = 50};
  const PolicyPtr policy = Make(spec, UniformModel(2, 1));
  const JobRecipe recipe = policy->Plan({60, 60, 0, Rows({50, 49})});
  EXPECT_EQ(recipe.segments[0].k, 25);
  EXPECT_EQ(recipe.segments[1].k, 49);
}

TEST(RowBudgetPolicyTest, OnlyLayersWithAWindowDropWhatLiesBehindIt) {
  ModelFacts model = UniformModel(2, 1);
  model.layers[1].window_tokens = 16;
  PolicySpec spec{.preset = "l2norm", .prune_after_tokens = 10};
  const JobRecipe recipe = Make(spec, model)->Plan({100, 100, 0, Rows({100, 100})});
  EXPECT_EQ(recipe.segments[0], (RecipeSegment{.first_row = 0, .k = 50}));
  // The share is of the 15 that a later row can see.
  EXPECT_EQ(recipe.segments[1],
            (RecipeSegment{.first_row = 1, .k = 8, .drop_below_position = 85}));
}

TEST(RowBudgetPolicyTest, LayersWithoutACacheOfTheirOwnHaveNoRows) {
  ModelFacts model = UniformModel(3, 2);
  model.layers[1] = {.first_row = 0, .kv_heads = 0};
  model.layers[2].first_row = 2;
  PolicySpec spec = Count(30);
  spec.skip_layers = {1, 2};
  const JobRecipe recipe = Make(spec, model)->Plan({40, 40, 0, Rows({40, 40, 40, 40})});
  ASSERT_EQ(recipe.segments.size(), 4u);
  EXPECT_EQ(recipe.segments[1].k, 30);
  EXPECT_EQ(recipe.segments[2].k, 40);
}

TEST(RowBudgetPolicyTest, SharedTokensAreCompressedUnlessToldToKeepThem) {
  const std::vector<RowFacts> rows(1, RowFacts{.slots = 100, .shared_slots = 64});
  PolicySpec spec = Count(30);
  const JobRecipe compress = Make(spec, UniformModel(1, 1))->Plan({100, 100, 64, rows});
  EXPECT_EQ(compress.segments[0], (RecipeSegment{.first_row = 0, .k = 30}));
  spec.shared_prefix = SharedPrefix::kKeep;
  const JobRecipe keep = Make(spec, UniformModel(1, 1))->Plan({100, 100, 64, rows});
  EXPECT_EQ(keep.segments[0],
            (RecipeSegment{.first_row = 0, .k = 64, .protect_below_position = 64}));
}

TEST(RowBudgetPolicyTest, ARequestAlwaysActs) {
  EXPECT_TRUE(Make(Count(30), UniformModel(1, 1))->Acts(Trigger::kRequest, {}));
  EXPECT_FALSE(Make(Count(30), UniformModel(1, 1))->Acts(Trigger::kPressure, {}));
}

}  // namespace
}  // namespace sluice
