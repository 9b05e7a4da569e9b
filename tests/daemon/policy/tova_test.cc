// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "gtest/gtest.h"
#include "tests/daemon/policy/mass_presets.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "tova";
  return MassPreset(spec, model);
}

PolicySpec Spec(int64_t budget, int64_t protect_last) {
  PolicySpec spec{.preset = "tova", .budget_tokens = budget};
  spec.protect_last_tokens = protect_last;
  return spec;
}

TEST(TovaTest, ResolvesItsDefaults) {
  const PolicyPtr policy = Make({}, UniformModel(4, 2));
  EXPECT_EQ(policy->spec().budget_tokens, 512);
  EXPECT_EQ(policy->spec().protect_last_tokens, 0);
  EXPECT_EQ(policy->recent_tokens(), 0);
  EXPECT_EQ(policy->needs().accumulated_score, (AccumulatedScore{.decay = 0.0}));
  EXPECT_TRUE(policy->needs().q_of_every_row);
  EXPECT_FALSE(policy->needs().allows_rollback);
  EXPECT_EQ(Make(policy->spec(), UniformModel(4, 2))->spec(), policy->spec());
}

TEST(TovaTest, TheHeadsOfALayerChooseTogether) {
  const PolicyPtr policy = Make(Spec(64, 4), ModelOfHeads({2, 3}));
  const std::vector<RowFacts> rows = {{100}, {100}, {60}, {60}, {60}};
  const JobRecipe recipe = policy->Plan({200, 196, 0, rows});
  EXPECT_EQ(recipe.combine, SegmentCombine::kMean);
  EXPECT_EQ(recipe.scorer, Scorer::kAccumulated);
  ASSERT_EQ(recipe.segments.size(), 2u);
  EXPECT_EQ(recipe.segments[0].row_count, 2);
  EXPECT_EQ(recipe.segments[0].k, 60);
  EXPECT_EQ(recipe.segments[1].first_row, 2);
  EXPECT_EQ(recipe.segments[1].row_count, 3);
  EXPECT_EQ(recipe.segments[1].k, 56);
  EXPECT_EQ(policy->MostSlots(rows), 100);
}

TEST(TovaTest, NothingGoesWithinTheBudget) {
  const PolicyPtr policy = Make(Spec(64, 0), UniformModel(1, 2));
  const std::vector<RowFacts> rows = {{64}, {64}};
  EXPECT_TRUE(policy->Plan({64, 64, 0, rows}).evicts_nothing);
  EXPECT_FALSE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 64}));
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 65}));
}

TEST(TovaTest, RefusesWhatMakesNoSense) {
  const ModelFacts model = UniformModel(4, 2);
  ExpectRefused(TryMassPreset(Spec(0, 0), model).status(), "policy.parameters.budget_tokens");
  ExpectRefused(TryMassPreset(Spec(4, 5), model).status(), "policy.parameters.budget_tokens");
  ExpectRefused(TryMassPreset(Spec(4, -1), model).status(),
                "policy.parameters.protect_last_tokens");
  PolicySpec spec = Spec(8, 0);
  spec.group_reduce = HeadReduce::kMean;
  ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.group_reduce");
  ExpectRefused(TryMassPreset(Spec(8, 0), ModelOfHeads({2, 0})).status(), "policy.preset",
                Reason::kNotInVersion);
  spec = Spec(8, 0);
  spec.triggers = TriggerSpec{.pressure = true};
  ExpectRefused(TryMassPreset(spec, model).status(), "policy.parameters.triggers.pressure",
                Reason::kNotInVersion);
}

TEST(TovaTest, AnotherBudgetMustHoldWhatIsProtected) {
  const PolicySpec spec = Make(Spec(64, 8), UniformModel(1, 1))->spec();
  EXPECT_EQ(TovaWithBudget(spec, 8)->budget_tokens, 8);
  ExpectRefused(TovaWithBudget(spec, 7).status(), "budget_tokens");
}

}  // namespace
}  // namespace sluice
