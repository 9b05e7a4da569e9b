// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

TEST(FullTest, NeverActsByItself) {
  const auto policy = MakePolicy({.preset = "full"}, UniformModel(2, 2));
  ASSERT_TRUE(policy.ok()) << policy.status();
  const SequenceFacts facts{.most_slots = 1 << 20, .decoded_tokens = 1 << 20};
  EXPECT_FALSE((*policy)->Acts(Trigger::kPrefillEnd, facts));
  EXPECT_FALSE((*policy)->Acts(Trigger::kEvery, facts));
  EXPECT_FALSE((*policy)->Acts(Trigger::kPressure, facts));
  EXPECT_EQ((*policy)->triggers(), TriggerSpec{});
}

TEST(FullTest, EvictsNothingOnRequestNotEvenBehindAWindow) {
  const auto policy = MakePolicy({.preset = "full"}, UniformModel(2, 1, /*window_tokens=*/8));
  ASSERT_TRUE(policy.ok()) << policy.status();
  const std::vector<RowFacts> rows(2, RowFacts{.slots = 100});
  const JobRecipe recipe = (*policy)->Plan({100, 100, 0, rows});
  EXPECT_TRUE(recipe.evicts_nothing);
  ASSERT_EQ(recipe.segments.size(), 2u);
  EXPECT_EQ(recipe.segments[1], (RecipeSegment{.first_row = 1, .k = 100}));
}

TEST(FullTest, HasNoParametersAndNoBudget) {
  const ModelFacts model = UniformModel(2, 1);
  PolicySpec spec{.preset = "full", .sink_tokens = 4};
  ExpectRefused(MakePolicy(spec, model).status(), "policy.parameters.sink_tokens");
  spec = {.preset = "full", .triggers = TriggerSpec{.prefill_end = true}};
  ExpectRefused(MakePolicy(spec, model).status(), "policy.parameters.triggers");
  const auto policy = MakePolicy({.preset = "full"}, model);
  ExpectRefused(WithBudget(**policy, 100, model).status(), "budget_tokens");
}

}  // namespace
}  // namespace sluice
