// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <random>

#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/plain_sequence.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

constexpr Ratio kHalfKept{0.5, Ratio::Of::kKept, Ratio::Rounding::kCeil};
constexpr Ratio kHalfRemoved{0.5, Ratio::Of::kRemoved, Ratio::Rounding::kFloor};

PolicyPtr Make(PolicySpec spec, const ModelFacts& model) {
  spec.preset = "l2norm";
  const auto policy = MakePolicy(spec, model);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

void ExpectBad(PolicySpec spec, const std::string& parameter) {
  spec.preset = "l2norm";
  ExpectRefused(MakePolicy(spec, UniformModel(4, 2)).status(), "policy.parameters." + parameter);
}

TEST(L2NormTest, TheAuthorsRuleIsTheDefault) {
  const PolicyPtr policy = Make({}, UniformModel(4, 2));
  EXPECT_EQ(policy->spec().ratio, kHalfKept);
  EXPECT_EQ(policy->spec().prune_after_tokens, 2048);
  EXPECT_EQ(policy->spec().skip_layers, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(policy->triggers(), (TriggerSpec{.prefill_end = true, .every_tokens = 32}));
  EXPECT_EQ(policy->recent_tokens(), 0);
}

TEST(L2NormTest, AModelOfTwoLayersSkipsNoneByDefault) {
  EXPECT_TRUE(Make({}, UniformModel(2, 2))->spec().skip_layers->empty());
}

TEST(L2NormTest, ARemovedShareIsForTheEndOfPrefill) {
  const PolicyPtr policy = Make({.ratio = kHalfRemoved}, UniformModel(4, 2));
  EXPECT_EQ(policy->spec().prune_after_tokens, 0);
  EXPECT_TRUE(policy->spec().skip_layers->empty());
  EXPECT_EQ(policy->triggers(), TriggerSpec{.prefill_end = true});
}

TEST(L2NormTest, AFixedCountHasHysteresis) {
  const PolicyPtr policy = Make({.budget_tokens = 1024}, UniformModel(4, 2));
  EXPECT_FALSE(policy->spec().ratio || policy->spec().prune_after_tokens);
  EXPECT_EQ(policy->triggers().hysteresis_tokens, 64);
  EXPECT_TRUE(policy->spec().skip_layers->empty());
}

TEST(L2NormTest, PruneAfterStandsInForHysteresis) {
  const PolicyPtr policy =
      Make({.ratio = kHalfKept, .prune_after_tokens = 100}, UniformModel(4, 2));
  EXPECT_FALSE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 99}));
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 100}));
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 99, .decoded_tokens = 32}));
  EXPECT_TRUE(policy->Acts(Trigger::kEvery, {.most_slots = 100, .decoded_tokens = 32}));
}

TEST(L2NormTest, RefusesCombinationsThatMakeNoSense) {
  ExpectBad({.budget_tokens = 10, .ratio = kHalfKept}, "ratio");
  ExpectBad({.budget_tokens = 10, .prune_after_tokens = 20}, "prune_after_tokens");
  ExpectBad({.budget_tokens = 10, .protect_first_tokens = 4, .protect_last_tokens = 7},
            "budget_tokens");
  ExpectBad({.ratio = kHalfKept,
             .triggers = TriggerSpec{.every_tokens = 1, .hysteresis_tokens = 4}},
            "triggers.every.hysteresis_tokens");
}

TEST(L2NormTest, RefusesParametersOutOfRange) {
  ExpectBad({.budget_tokens = 0}, "budget_tokens");
  ExpectBad({.ratio = Ratio{0.0, Ratio::Of::kKept, Ratio::Rounding::kCeil}}, "ratio.value");
  ExpectBad({.prune_after_tokens = -1}, "prune_after_tokens");
  ExpectBad({.skip_layers = std::vector<int32_t>{4}}, "skip_layers");
  ExpectBad({.protect_first_tokens = -1}, "protect_first_tokens");
  ExpectBad({.protect_last_tokens = -1}, "protect_last_tokens");
  ExpectBad({.sink_tokens = 4}, "sink_tokens");
  ExpectBad({.recent_tokens = 4}, "recent_tokens");
}

TEST(L2NormTest, AFixedCountKeepsTheSameHoweverTheTokensCome) {
  std::mt19937 random(20241106);
  const ModelFacts model = UniformModel(1, 1);
  const PolicyPtr policy = Make(
      {.budget_tokens = 16,
       .triggers = TriggerSpec{.prefill_end = true, .every_tokens = 1, .hysteresis_tokens = 0}},
      model);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> scores(100);
    // Few values, so that ties are frequent.
    for (float& score : scores) score = -static_cast<float>(random() % 40);
    PlainSequence block(policy, {scores});
    block.Add(100, /*decode=*/false);
    PlainSequence single(policy, {scores});
    for (int i = 0; i < 100; ++i) single.Add(1, /*decode=*/true);
    ASSERT_EQ(block.held(), single.held()) << "round " << round;
    ASSERT_EQ(block.held()[0].size(), 16u);
  }
}

TEST(L2NormTest, AnotherBudgetMakesAFixedCount) {
  const ModelFacts model = UniformModel(4, 2);
  const PolicyPtr policy = Make({.protect_first_tokens = 4, .protect_last_tokens = 10}, model);
  const auto fixed = WithBudget(*policy, 14, model);
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ((*fixed)->spec().budget_tokens, 14);
  EXPECT_FALSE((*fixed)->spec().ratio);
  EXPECT_EQ((*fixed)->spec().skip_layers, policy->spec().skip_layers);
  ExpectRefused(WithBudget(*policy, 13, model).status(), "budget_tokens");
}

}  // namespace
}  // namespace sluice
