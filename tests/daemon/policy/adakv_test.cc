// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

using Places = std::vector<int64_t>;

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "adakv";
  return WindowPreset(spec, model);
}

// 5 slots before a window of 2.
PolicySpec Spec() { return {.budget_tokens = 7, .window_tokens = 2}; }

TEST(AdaKvTest, DefaultsAreThoseOfTheSpecification) {
  const PolicySpec spec = Make({}, UniformModel(4, 2))->spec();
  EXPECT_EQ(spec.window_tokens, 32);
  EXPECT_EQ(spec.pool, ScorePool::kMax);
  EXPECT_EQ(spec.alpha, 0.2);
  EXPECT_EQ(spec.head_budget, HeadBudget::kOfficial);
}

TEST(AdaKvTest, TheHeadsOfALayerCompeteForItsBudget) {
  const PolicyPtr policy = Make(Spec(), ModelOfHeads({2, 0, 3}));
  const JobRecipe recipe = policy->Plan({100, 98, 0, RowsHolding(Places(5, 100))});
  EXPECT_TRUE(recipe.segments.empty());
  EXPECT_EQ(recipe.at_least, 0);
  EXPECT_EQ(recipe.count_segments,
            (std::vector<RecipeSegment>{{.first_row = 0, .row_count = 2, .k = 10},
                                        {.first_row = 2, .row_count = 3, .k = 15}}));
}

TEST(AdaKvTest, CountsBecomeABudgetForEachHead) {
  const PolicyPtr policy = Make(Spec(), UniformModel(2, 2));
  const std::vector<RowFacts> rows = RowsHolding(Places(4, 10));
  const JobFacts facts{10, 8, 0, rows};
  const std::vector<int32_t> counts = {2, 8, 0, 0, /*layer 1*/ 0, 0, 5, 5};
  const JobRecipe recipe = policy->Budget(facts, counts);
  EXPECT_EQ(PlacesOf(recipe), (Places{3, 7, 5, 5}));
  EXPECT_EQ(recipe.window_score, policy->Plan(facts).window_score);
  EXPECT_FALSE(recipe.evicts_nothing);
}

TEST(AdaKvTest, TheSafeguardIsAFloorOfTheCount) {
  PolicySpec spec{.budget_tokens = 100, .window_tokens = 10, .alpha = 0.3,
                  .head_budget = HeadBudget::kSafeguard};
  const PolicyPtr policy = Make(spec, UniformModel(1, 2));
  const std::vector<RowFacts> rows = RowsHolding({500, 500});
  // Of 30 safe slots the window takes 10.
  EXPECT_EQ(policy->Plan({500, 490, 0, rows}).at_least, 20);
  const std::vector<int32_t> counts = {20, 160};
  EXPECT_EQ(PlacesOf(policy->Budget({500, 490, 0, rows}, counts)), (Places{20, 160}));
  spec.alpha = 0.05;
  EXPECT_EQ(Make(spec, UniformModel(1, 2))->Plan({500, 490, 0, rows}).at_least, 0);
}

TEST(AdaKvTest, APromptOfTheBudgetIsLeftAlone) {
  const PolicyPtr policy = Make(Spec(), UniformModel(1, 2));
  EXPECT_TRUE(policy->Plan({7, 5, 0, RowsHolding({7, 7})}).evicts_nothing);
  EXPECT_TRUE(policy->Plan({100, 98, 0, RowsHolding({4, 10})}).evicts_nothing);
  EXPECT_FALSE(policy->Plan({100, 98, 0, RowsHolding({4, 11})}).evicts_nothing);
}

TEST(AdaKvTest, ALayerIsAsFullAsItsHeadsOnAverage) {
  const PolicyPtr policy = Make(Spec(), ModelOfHeads({2, 1}));
  EXPECT_EQ(policy->MostSlots(RowsHolding({5, 9, 6})), 7);
  EXPECT_EQ(policy->MostSlots(RowsHolding({6, 9, 6})), 8);
  EXPECT_EQ(policy->MostSlots(RowsHolding({5, 9, 8})), 8);
}

TEST(AdaKvTest, RefusesAnAlphaThatIsNoShare) {
  for (const double alpha : {-0.1, 1.5}) {
    PolicySpec spec{.preset = "adakv", .alpha = alpha};
    ExpectRefused(TryWindowPreset(spec, UniformModel(1, 2)).status(), "policy.parameters.alpha");
  }
}

}  // namespace
}  // namespace sluice
