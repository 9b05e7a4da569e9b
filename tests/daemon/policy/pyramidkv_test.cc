// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

using Places = std::vector<int64_t>;

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "pyramidkv";
  return WindowPreset(spec, model);
}

// The example of the specification.
PolicySpec Spec() { return {.budget_tokens = 64, .window_tokens = 8}; }

JobRecipe PlanOf(const PolicyPtr& policy, size_t rows, int64_t tokens) {
  const std::vector<RowFacts> held = RowsHolding(Places(rows, tokens));
  return policy->Plan({tokens, tokens - 8, 0, held});
}

void ExpectBad(PolicySpec spec, const std::string& parameter) {
  spec.preset = "pyramidkv";
  ExpectRefused(TryWindowPreset(spec, UniformModel(4, 2)).status(),
                "policy.parameters." + parameter);
}

TEST(PyramidKvTest, DefaultsAreThoseOfTheSpecification) {
  const PolicySpec spec = Make({}, UniformModel(4, 2))->spec();
  EXPECT_EQ(spec.window_tokens, 8);
  EXPECT_EQ(spec.pool, ScorePool::kMax);
  EXPECT_EQ(spec.beta, 20);
  EXPECT_FALSE(spec.low_end_tokens);
}

TEST(PyramidKvTest, TheWorkedExample) {
  const PolicyPtr policy = Make(Spec(), UniformModel(4, 1));
  EXPECT_EQ(PlacesOf(PlanOf(policy, 4, 1000)), (Places{110, 74, 38, 2}));
  EXPECT_EQ(PlacesOf(PlanOf(policy, 4, 100)), (Places{56, 56, 56, 56}));
  EXPECT_TRUE(PlanOf(policy, 4, 64).evicts_nothing);
}

TEST(PyramidKvTest, ThirtyTwoLayersSpendTheBudgetExactly) {
  const PolicyPtr policy = Make({.budget_tokens = 128}, UniformModel(32, 2));
  const Places places = PlacesOf(PlanOf(policy, 64, 1000));
  EXPECT_EQ(places[0], 234);
  EXPECT_EQ(places[1], 234);
  EXPECT_EQ(places[63], 6);
  EXPECT_EQ(std::accumulate(places.begin(), places.end(), int64_t{0}), 2 * 3840);
}

TEST(PyramidKvTest, TheLowEndMayBeGivenInTokens) {
  PolicySpec spec = Spec();
  spec.low_end_tokens = 20;
  const PolicyPtr policy = Make(spec, UniformModel(4, 1));
  EXPECT_FALSE(policy->spec().beta);
  EXPECT_EQ(PlacesOf(PlanOf(policy, 4, 1000)), (Places{92, 68, 44, 20}));
  ExpectRefused(PyramidKvWithBudget(policy->spec(), 27).status(), "budget_tokens");
  EXPECT_TRUE(PyramidKvWithBudget(policy->spec(), 28).ok());
}

TEST(PyramidKvTest, OnlyLayersWithACacheOfTheirOwnAreOfThePyramid) {
  const PolicyPtr policy = Make(Spec(), ModelOfHeads({1, 0, 2, 1, 0, 1}));
  EXPECT_EQ(PlacesOf(PlanOf(policy, 5, 1000)), (Places{110, 74, 74, 38, 2}));
}

TEST(PyramidKvTest, AfterAJobOnlyWhatCameSinceIsOver) {
  const PolicyPtr policy = Make(Spec(), UniformModel(4, 1));
  EXPECT_EQ(policy->MostSlots(RowsHolding({118, 82, 46, 10})), 64);
  EXPECT_EQ(policy->MostSlots(RowsHolding({123, 87, 51, 15})), 69);
  EXPECT_EQ(policy->MostSlots(RowsHolding({64, 64, 64, 64})), 64);
  EXPECT_EQ(policy->MostSlots(RowsHolding({50, 50, 50, 50})), 50);
  const JobRecipe recipe = policy->Plan({1005, 997, 0, RowsHolding({123, 87, 51, 15})});
  EXPECT_EQ(PlacesOf(recipe), (Places{110, 74, 38, 2}));
}

TEST(PyramidKvTest, RefusesALowEndThatIsNone) {
  ExpectBad({.beta = 0}, "beta");
  ExpectBad({.beta = 20, .low_end_tokens = 4}, "beta");
  ExpectBad({.budget_tokens = 64, .window_tokens = 8, .low_end_tokens = 57}, "low_end_tokens");
  ExpectBad({.low_end_tokens = -1}, "low_end_tokens");
}

}  // namespace
}  // namespace sluice
