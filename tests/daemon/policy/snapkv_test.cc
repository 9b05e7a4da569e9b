// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "snapkv";
  return WindowPreset(spec, model);
}

TEST(SnapKvTest, DefaultsAreThoseOfTheSpecification) {
  const PolicySpec spec = Make({}, UniformModel(4, 2))->spec();
  EXPECT_EQ(spec.window_tokens, 32);
  EXPECT_EQ(spec.pool, ScorePool::kMax);
  EXPECT_EQ(spec.pool_width, 7);
  EXPECT_EQ(spec.group_reduce, HeadReduce::kMean);
}

TEST(SnapKvTest, EveryRowKeepsTheSame) {
  const PolicyPtr policy = Make({.budget_tokens = 64, .window_tokens = 8}, UniformModel(1, 3));
  const std::vector<RowFacts> rows = RowsHolding({1000, 64, 65});
  const JobRecipe recipe = policy->Plan({1000, 992, 0, rows});
  EXPECT_TRUE(recipe.count_segments.empty());
  EXPECT_FALSE(recipe.evicts_nothing);
  EXPECT_EQ(PlacesOf(recipe), (std::vector<int64_t>{56, 56, 56}));
  EXPECT_EQ(policy->MostSlots(rows), 1000);
}

TEST(SnapKvTest, APromptOfTheBudgetIsLeftAlone) {
  const PolicyPtr policy = Make({.budget_tokens = 64, .window_tokens = 8}, UniformModel(1, 2));
  EXPECT_TRUE(policy->Plan({64, 56, 0, RowsHolding({64, 64})}).evicts_nothing);
  EXPECT_TRUE(policy->Plan({5, 0, 0, RowsHolding({5, 5})}).evicts_nothing);
}

}  // namespace
}  // namespace sluice
