// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "gtest/gtest.h"
#include "tests/daemon/policy/mass_presets.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "h2o";
  return MassPreset(spec, model);
}

PolicySpec Split(int64_t heavy, int64_t recent) {
  PolicySpec spec{.preset = "h2o"};
  spec.heavy_tokens = heavy;
  spec.recent_tokens = recent;
  return spec;
}

TEST(H2oTest, ResolvesItsDefaults) {
  const PolicyPtr policy = Make({}, UniformModel(4, 2));
  EXPECT_EQ(policy->spec().heavy_tokens, 256);
  EXPECT_EQ(policy->spec().recent_tokens, 256);
  EXPECT_EQ(policy->spec().group_reduce, HeadReduce::kMean);
  EXPECT_EQ(policy->spec().normalise, ScoreNormalise::kNone);
  EXPECT_EQ(policy->triggers(), (TriggerSpec{.prefill_end = true, .every_tokens = 32,
                                             .hysteresis_tokens = 32}));
  EXPECT_EQ(policy->recent_tokens(), 256);
  EXPECT_EQ(policy->scorer(), Scorer::kAccumulated);
}

TEST(H2oTest, NeedsEveryQueryRowAndTakesNothingBack) {
  PolicySpec spec;
  spec.decay = 0.5;
  spec.squared = true;
  spec.group_reduce = HeadReduce::kSum;
  const PolicyNeeds needs = Make(spec, UniformModel(4, 2))->needs();
  EXPECT_TRUE(needs.q_of_every_row);
  EXPECT_FALSE(needs.allows_rollback || needs.adopts_prefix);
  EXPECT_EQ(needs.observation_window_tokens, 0);
  EXPECT_EQ(needs.accumulated_score, (AccumulatedScore{0.5, true, HeadReduce::kSum}));
}

TEST(H2oTest, EveryRowKeepsItsHeavyTokensAndLeavesTheRecentAlone) {
  const PolicyPtr policy = Make(Split(10, 20), UniformModel(1, 2));
  EXPECT_EQ(policy->SnapshotTokens(100, 0, 0), 80);
  const std::vector<RowFacts> rows = {{.slots = 100}, {.slots = 30}};
  const JobRecipe recipe = policy->Plan({100, 80, 0, rows});
  EXPECT_FALSE(recipe.evicts_nothing);
  EXPECT_EQ(recipe.combine, SegmentCombine::kNone);
  ASSERT_EQ(recipe.segments.size(), 2u);
  EXPECT_EQ(recipe.segments[0].k, 10);
  EXPECT_EQ(recipe.segments[1].k, 10);
}

TEST(H2oTest, RefusesWhatMakesNoSense) {
  const ModelFacts model = UniformModel(4, 2);
  ExpectRefused(TryMassPreset(Split(0, 8), model).status(), "policy.parameters.heavy_tokens");
  ExpectRefused(TryMassPreset(Split(8, 0), model).status(), "policy.parameters.recent_tokens");
  PolicySpec spec = Split(8, 8);
  for (const HeadReduce reduce : {HeadReduce::kMax, HeadReduce::kMedian}) {
    spec.group_reduce = reduce;
    ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.group_reduce");
  }
  spec = Split(8, 8);
  spec.budget_tokens = 16;
  ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.budget_tokens");
  spec = Split(8, 8);
  spec.decay = 0.5;
  spec.normalise = ScoreNormalise::kMean;
  ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.normalise");
  for (const double decay : {0.0, -1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    spec = Split(8, 8);
    spec.decay = decay;
    ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.decay");
  }
}

TEST(H2oTest, RefusesALayerThatReadsAnothersCache) {
  ExpectRefused(TryMassPreset(Split(8, 8), ModelOfHeads({2, 0})).status(), "policy.preset",
                Reason::kNotInVersion);
}

TEST(H2oTest, AnotherBudgetIsSplitInTheSameProportion) {
  const PolicySpec spec = Make(Split(100, 300), UniformModel(1, 1))->spec();
  EXPECT_EQ(H2oWithBudget(spec, 40)->heavy_tokens, 10);
  EXPECT_EQ(H2oWithBudget(spec, 40)->recent_tokens, 30);
  EXPECT_EQ(H2oWithBudget(spec, 2)->heavy_tokens, 1);
  EXPECT_EQ(H2oWithBudget(spec, 2)->recent_tokens, 1);
  ExpectRefused(H2oWithBudget(spec, 1).status(), "budget_tokens");
}

TEST(H2oTest, AResolvedSpecResolvesToItself) {
  const PolicySpec spec = Make({}, UniformModel(4, 2))->spec();
  EXPECT_EQ(Make(spec, UniformModel(4, 2))->spec(), spec);
}

}  // namespace
}  // namespace sluice
