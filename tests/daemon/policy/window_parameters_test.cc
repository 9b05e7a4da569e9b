// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/window_parameters.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

// What all window presets take and refuse alike.
class WindowParametersTest : public ::testing::TestWithParam<std::string> {
 protected:
  PolicyPtr Make(PolicySpec spec) const {
    spec.preset = GetParam();
    return WindowPreset(spec, UniformModel(4, 2));
  }
  void ExpectBad(PolicySpec spec, const std::string& parameter) const {
    spec.preset = GetParam();
    ExpectRefused(TryWindowPreset(spec, UniformModel(4, 2)).status(),
                  "policy.parameters." + parameter);
  }
};

TEST_P(WindowParametersTest, TheWindowIsTheHotTailAndWhatIsObserved) {
  const PolicyPtr policy = Make({.budget_tokens = 100, .window_tokens = 24});
  EXPECT_EQ(policy->scorer(), Scorer::kWindow);
  EXPECT_EQ(policy->recent_tokens(), 24);
  EXPECT_EQ(policy->needs().observation_window_tokens, 24);
  EXPECT_FALSE(policy->needs().q_of_every_row || policy->needs().k_v_q_in_one_call);
  EXPECT_TRUE(policy->needs().adopts_prefix && policy->needs().allows_rollback);
}

TEST_P(WindowParametersTest, EndOfPrefillIsTheDefaultTrigger) {
  const PolicyPtr policy = Make({});
  EXPECT_EQ(policy->triggers(), TriggerSpec{.prefill_end = true});
  EXPECT_EQ(policy->spec().budget_tokens, 2048);
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 2049}));
  EXPECT_FALSE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 2048}));
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 4096, .decoded_tokens = 4096}));
  EXPECT_TRUE(policy->Acts(Trigger::kRequest, {}));
}

TEST_P(WindowParametersTest, OnceIsTheFirstEndOfPrefill) {
  const PolicyPtr policy = Make({.triggers = TriggerSpec{.prefill_end = true, .once = true}});
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 5000}));
  EXPECT_FALSE(
      policy->Acts(Trigger::kPrefillEnd, {.most_slots = 5000, .earlier_prefill_ends = 1}));
}

TEST_P(WindowParametersTest, EveryHasTheHysteresisOfItsBudget) {
  const PolicyPtr policy =
      Make({.budget_tokens = 1024, .triggers = TriggerSpec{.every_tokens = 8}});
  EXPECT_EQ(policy->triggers().hysteresis_tokens, 64);
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 1087, .decoded_tokens = 8}));
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 1088, .decoded_tokens = 7}));
  EXPECT_TRUE(policy->Acts(Trigger::kEvery, {.most_slots = 1088, .decoded_tokens = 8}));
}

TEST_P(WindowParametersTest, TheScoreIsAsAsked) {
  const std::vector<RowFacts> rows = RowsHolding(std::vector<int64_t>(8, 500));
  const PolicyPtr policy = Make({.budget_tokens = 64,
                                 .window_tokens = 16,
                                 .pool = ScorePool::kAverage,
                                 .pool_width = 5,
                                 .group_reduce = HeadReduce::kMax});
  const JobRecipe recipe = policy->Plan({500, 484, 0, rows});
  EXPECT_EQ(recipe.scorer, Scorer::kWindow);
  EXPECT_EQ(recipe.window_score,
            (WindowScore{16, HeadReduce::kMax, ScorePool::kAverage, 5}));
  EXPECT_EQ(Make({.pool = ScorePool::kNone})->Plan({500, 484, 0, rows}).window_score.pool_width, 1);
}

TEST_P(WindowParametersTest, RefusesWhatIsOutOfRange) {
  ExpectBad({.window_tokens = 0}, "window_tokens");
  ExpectBad({.window_tokens = kMostWindowTokens + 1}, "window_tokens");
  ExpectBad({.budget_tokens = 0}, "budget_tokens");
  ExpectBad({.budget_tokens = 16, .window_tokens = 16}, "budget_tokens");
  ExpectBad({.group_reduce = HeadReduce::kMedian}, "group_reduce");
  ExpectBad({.pool_width = 4}, "pool_width");
  ExpectBad({.pool_width = -1}, "pool_width");
  ExpectBad({.pool_width = kMostPoolWidth + 2}, "pool_width");
  ExpectBad({.pool = ScorePool::kNone, .pool_width = 5}, "pool_width");
  ExpectBad({.triggers = TriggerSpec{.every_tokens = 0}}, "triggers.every.tokens");
  ExpectBad({.sink_tokens = 4}, "sink_tokens");
  ExpectBad({.ratio = Ratio{}}, "ratio");
}

TEST_P(WindowParametersTest, RefusesTheParametersOfTheOthers) {
  const std::string& preset = GetParam();
  ExpectBad({.cascade_tokens = 64}, "cascade_tokens");
  ExpectBad({.cascades = 2}, "cascades");
  ExpectBad({.periods = std::vector<int64_t>{1}}, "periods");
  ExpectBad({.eager_fill = true}, "eager_fill");
  ExpectBad({.stride_tokens = 8}, "stride_tokens");
  if (preset != "pyramidkv") ExpectBad({.beta = 20}, "beta");
  if (preset != "pyramidkv") ExpectBad({.low_end_tokens = 4}, "low_end_tokens");
  if (preset != "adakv") ExpectBad({.alpha = 0.5}, "alpha");
  if (preset != "adakv") ExpectBad({.head_budget = HeadBudget::kSafeguard}, "head_budget");
  if (preset != "dynamickv") ExpectBad({.r_max = 5.0}, "r_max");
  if (preset != "dynamickv") ExpectBad({.update_every_layers = 2}, "update_every_layers");
  if (preset != "dynamickv") ExpectBad({.arithmetic = LayerArithmetic::kExact}, "arithmetic");
}

TEST_P(WindowParametersTest, AResolvedSpecResolvesToItself) {
  for (const PolicySpec& spec :
       {PolicySpec{}, PolicySpec{.pool = ScorePool::kNone},
        PolicySpec{.budget_tokens = 77, .triggers = TriggerSpec{.every_tokens = 8}}}) {
    const PolicyPtr once = Make(spec);
    EXPECT_EQ(Make(once->spec())->spec(), once->spec());
  }
}

TEST_P(WindowParametersTest, AnotherBudgetMustHoldTheWindow) {
  const PolicyPtr policy = Make({.window_tokens = 32});
  const auto changed = WindowPresetWithBudget(policy->spec(), 33);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(Make(*changed)->spec().budget_tokens, 33);
  ExpectRefused(WindowPresetWithBudget(policy->spec(), 32).status(), "budget_tokens");
}

INSTANTIATE_TEST_SUITE_P(Presets, WindowParametersTest,
                         ::testing::ValuesIn(WindowPresetNames()),
                         [](const auto& info) { return info.param; });

TEST(RealOrTest, RefusesWhatIsNoNumberOrOutOfRange) {
  EXPECT_EQ(*RealOr("alpha", std::nullopt, 0.2, 0, 1), 0.2);
  EXPECT_EQ(*RealOr("alpha", 1.0, 0.2, 0, 1), 1.0);
  for (const double value : {-0.1, 1.1, std::nan(""), HUGE_VAL}) {
    ExpectRefused(RealOr("alpha", value, 0.2, 0, 1).status(), "policy.parameters.alpha");
  }
}

}  // namespace
}  // namespace sluice
