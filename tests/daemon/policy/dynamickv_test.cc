// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

using Places = std::vector<int64_t>;

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "dynamickv";
  return WindowPreset(spec, model);
}

// The worked example: 4 slots before a window of 2.
PolicySpec Spec() {
  return {.budget_tokens = 6, .window_tokens = 2, .r_max = 2.0, .update_every_layers = 2};
}

void ExpectBad(PolicySpec spec, const std::string& field, const ModelFacts& model) {
  spec.preset = "dynamickv";
  ExpectRefused(TryWindowPreset(spec, model).status(), field);
}

TEST(DynamicKvTest, DefaultsAreThoseOfTheSpecification) {
  const PolicySpec spec = Make({}, UniformModel(4, 2))->spec();
  EXPECT_EQ(spec.window_tokens, 8);
  EXPECT_EQ(spec.pool, ScorePool::kAverage);
  EXPECT_EQ(spec.pool_width, 7);
  EXPECT_EQ(spec.r_max, 10);
  EXPECT_EQ(spec.update_every_layers, 4);
  EXPECT_EQ(spec.arithmetic, LayerArithmetic::kExact);
}

TEST(DynamicKvTest, EveryUpdateCountsTheBestOfTheLayersSoFar) {
  const PolicyPtr policy = Make(Spec(), UniformModel(5, 2));
  const JobRecipe recipe = policy->Plan({10, 8, 0, RowsHolding(Places(10, 10))});
  EXPECT_TRUE(recipe.segments.empty());
  EXPECT_EQ(recipe.count_segments,
            (std::vector<RecipeSegment>{{.first_row = 0, .row_count = 4, .k = 16},
                                        {.first_row = 0, .row_count = 8, .k = 32},
                                        {.first_row = 0, .row_count = 10, .k = 40}}));
}

TEST(DynamicKvTest, CountsOfAllUpdatesBecomeBudgets) {
  const PolicyPtr policy = Make(Spec(), UniformModel(4, 2));
  const std::vector<RowFacts> rows = RowsHolding(Places(8, 10));
  const std::vector<int32_t> counts = {3, 3, 5, 5, 0, 0, 0, 0,
                                       2, 2, 4, 4, 6, 6, 4, 4};
  const JobRecipe recipe = policy->Budget({10, 8, 0, rows}, counts);
  EXPECT_EQ(PlacesOf(recipe), (Places{2, 2, 4, 4, 6, 6, 4, 4}));
  EXPECT_FALSE(recipe.evicts_nothing);
}

TEST(DynamicKvTest, AnEarlierUpdateBoundsALaterOne) {
  const PolicyPtr policy = Make(Spec(), UniformModel(4, 2));
  const std::vector<RowFacts> rows = RowsHolding(Places(8, 10));
  // The first leaves layer 0 with 2 of its 16; the last would give it 8.
  const std::vector<int32_t> counts = {1, 1, 7, 7, 0, 0, 0, 0,
                                       8, 8, 2, 2, 4, 4, 2, 2};
  EXPECT_EQ(PlacesOf(policy->Budget({10, 8, 0, rows}, counts)),
            (Places{2, 2, 2, 2, 4, 4, 2, 2}));
}

TEST(DynamicKvTest, APromptOfTheBudgetIsLeftAlone) {
  const PolicyPtr policy = Make(Spec(), UniformModel(4, 2));
  EXPECT_TRUE(policy->Plan({6, 4, 0, RowsHolding(Places(8, 6))}).evicts_nothing);
  EXPECT_FALSE(policy->Plan({7, 5, 0, RowsHolding(Places(8, 7))}).evicts_nothing);
}

TEST(DynamicKvTest, AModelIsAsFullAsItsRowsOnAverage) {
  const PolicyPtr policy = Make(Spec(), UniformModel(2, 1));
  EXPECT_EQ(policy->MostSlots(RowsHolding({2, 10})), 6);
  EXPECT_EQ(policy->MostSlots(RowsHolding({3, 10})), 7);
}

TEST(DynamicKvTest, LayersMayDifferInHeadsInExactArithmetic) {
  const ModelFacts model = ModelOfHeads({1, 0, 2});
  const PolicyPtr policy = Make({.budget_tokens = 12, .window_tokens = 2}, model);
  const std::vector<RowFacts> rows = RowsHolding({50, 50, 50});
  EXPECT_EQ(policy->Plan({50, 48, 0, rows}).count_segments,
            (std::vector<RecipeSegment>{{.first_row = 0, .row_count = 3, .k = 30}}));
  const std::vector<int32_t> counts = {20, 4, 6};
  EXPECT_EQ(PlacesOf(policy->Budget({50, 48, 0, rows}, counts)), (Places{20, 5, 5}));
  ExpectBad({.arithmetic = LayerArithmetic::kReference}, "policy.parameters.arithmetic", model);
}

TEST(DynamicKvTest, LayersThatDifferInSlidingWindowAreRefused) {
  ModelFacts model = UniformModel(4, 2, /*window_tokens=*/512);
  EXPECT_TRUE(TryWindowPreset({.preset = "dynamickv"}, model).ok());
  model.layers[2].window_tokens = 0;
  ExpectBad({}, "policy.preset", model);
}

TEST(DynamicKvTest, RefusesParametersOutOfRange) {
  const ModelFacts model = UniformModel(4, 2);
  ExpectBad({.r_max = 0.5}, "policy.parameters.r_max", model);
  ExpectBad({.r_max = 1e9}, "policy.parameters.r_max", model);
  ExpectBad({.update_every_layers = 0}, "policy.parameters.update_every_layers", model);
}

}  // namespace
}  // namespace sluice
