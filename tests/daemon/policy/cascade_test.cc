// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "daemon/policy/cascade_policy.h"
#include "daemon/policy/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ModelFacts kModel = UniformModel(4, 2);

PolicyPtr Make(PolicySpec spec) {
  spec.preset = "cascade";
  const auto policy = MakePolicy(spec, kModel);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

// Expects that `parameter` is refused and the message has `text`.
void ExpectBad(PolicySpec spec, const std::string& parameter, const std::string& text) {
  spec.preset = "cascade";
  const absl::Status status = MakePolicy(spec, kModel).status();
  ExpectRefused(status, "policy.parameters." + parameter);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(CascadeTest, ResolvesItsDefaults) {
  const PolicySpec spec = Make({})->spec();
  EXPECT_EQ(spec.sink_tokens, 64);
  EXPECT_EQ(spec.cascade_tokens, 2048);
  EXPECT_EQ(spec.cascades, 4);
  EXPECT_THAT(*spec.periods, ElementsAre(1, 2, 4, 8));
  EXPECT_EQ(spec.eager_fill, true);
  EXPECT_EQ(spec.stride_tokens, 1024);
  EXPECT_EQ(spec.decay, 0.9999);
  EXPECT_EQ(spec.group_reduce, HeadReduce::kMax);
  EXPECT_EQ(spec.triggers, TriggerSpec{});
}

TEST(CascadeTest, NeedsThatEverythingComesTogetherAndNothingGoesBack) {
  const PolicyNeeds needs = Make({})->needs();
  EXPECT_TRUE(needs.q_of_every_row && needs.k_v_q_in_one_call && needs.rope_table);
  EXPECT_FALSE(needs.allows_rollback || needs.adopts_prefix);
  EXPECT_EQ(needs.observation_window_tokens, 0);
  EXPECT_EQ(needs.accumulated_score, (AccumulatedScore{0.9999, false, HeadReduce::kMax}));
  EXPECT_EQ(needs.cascade, (CascadeRule{.sink_tokens = 64,
                                        .ring_slots = 512,
                                        .periods = {1, 2, 4, 8},
                                        .eager_fill = true,
                                        .stride_tokens = 1024}));
}

TEST(CascadeTest, EveryParameterReachesTheRule) {
  const PolicyPtr policy = Make({.sink_tokens = 0,
                                 .group_reduce = HeadReduce::kMedian,
                                 .decay = 1.0,
                                 .cascade_tokens = 6,
                                 .cascades = 3,
                                 .periods = std::vector<int64_t>{1, 1, 7},
                                 .eager_fill = false,
                                 .stride_tokens = 1});
  EXPECT_EQ(policy->needs().cascade, (CascadeRule{.sink_tokens = 0,
                                                  .ring_slots = 2,
                                                  .periods = {1, 1, 7},
                                                  .eager_fill = false,
                                                  .stride_tokens = 1}));
  EXPECT_EQ(policy->needs().accumulated_score, (AccumulatedScore{1.0, false, HeadReduce::kMedian}));
}

TEST(CascadeTest, TheDefaultSizeIsAMultipleOfTheRings) {
  EXPECT_EQ(Make({.cascades = 1})->spec().cascade_tokens, 2048);
  EXPECT_EQ(Make({.cascades = 3})->spec().cascade_tokens, 2046);
  EXPECT_EQ(Make({.cascades = 16})->spec().periods->back(), 1 << 15);
}

TEST(CascadeTest, TheLargestSizesAreTaken) {
  const PolicyPtr policy = Make({.sink_tokens = kMostCascadeTokens,
                                 .cascade_tokens = kMostCascadeTokens - 15,
                                 .cascades = 16,
                                 .stride_tokens = kMostStrideTokens});
  const CascadeRule rule = *policy->needs().cascade;
  EXPECT_EQ(rule.sink_tokens, kMostCascadeTokens);
  EXPECT_EQ(rule.ring_slots, (kMostCascadeTokens - 15) / 16);
  EXPECT_EQ(rule.stride_tokens, 65536);
}

TEST(CascadeTest, NeverActsAndHasNoBudgetToCompareWith) {
  const PolicyPtr policy = Make({});
  const SequenceFacts facts{.most_slots = 1 << 20, .decoded_tokens = 1 << 20};
  for (const Trigger trigger :
       {Trigger::kPrefillEnd, Trigger::kEvery, Trigger::kPressure, Trigger::kRequest}) {
    EXPECT_FALSE(policy->Acts(trigger, facts)) << static_cast<int>(trigger);
  }
  EXPECT_EQ(policy->scorer(), Scorer::kNone);
  EXPECT_EQ(policy->recent_tokens(), 0);
  const std::vector<RowFacts> rows(8, RowFacts{.slots = 5000});
  EXPECT_EQ(policy->MostSlots(rows), 0);
  EXPECT_DEATH(policy->Plan({5000, 5000, 0, rows}), "cascade has no jobs");
}

TEST(CascadeTest, SizesOutOfRangeAreRefused) {
  ExpectBad({.sink_tokens = -1}, "sink_tokens", "is -1; allowed: 0 to 536870911");
  ExpectBad({.sink_tokens = kMostCascadeTokens + 1}, "sink_tokens", "is 536870912");
  ExpectBad({.cascades = 0}, "cascades", "is 0; allowed: 1 to 16");
  ExpectBad({.cascades = 17}, "cascades", "is 17; allowed: 1 to 16");
  ExpectBad({.cascade_tokens = 3}, "cascade_tokens", "is 3; allowed: 4 to 536870911");
  ExpectBad({.cascade_tokens = kMostCascadeTokens + 1}, "cascade_tokens", "is 536870912");
  ExpectBad({.cascade_tokens = 10}, "cascade_tokens",
            "is 10; must be a multiple of cascades, which is 4");
  ExpectBad({.stride_tokens = 0}, "stride_tokens", "is 0; allowed: 1 to 65536");
  ExpectBad({.stride_tokens = 65537}, "stride_tokens", "is 65537; allowed: 1 to 65536");
}

TEST(CascadeTest, PeriodsAreOneForEachRing) {
  using Periods = std::vector<int64_t>;
  ExpectBad({.periods = Periods{}}, "periods", "has 0 numbers; cascades, which is 4");
  ExpectBad({.cascades = 2, .periods = Periods{1, 2, 4}}, "periods", "has 3 numbers");
  ExpectBad({.cascades = 2, .periods = Periods{1, 0}}, "periods", "is 0; allowed: 1 to");
  ExpectBad({.cascades = 1, .periods = Periods{kMostTokens + 1}}, "periods", "is 2147483648");
}

TEST(CascadeTest, ADecayThatIsNoneIsRefused) {
  for (const double decay : {0.0, -0.5, 1.0001, std::numeric_limits<double>::quiet_NaN()}) {
    ExpectBad({.decay = decay}, "decay", "allowed: above 0, at most 1");
  }
}

TEST(CascadeTest, ParametersOfOthersAreRefused) {
  ExpectBad({.recent_tokens = 8}, "recent_tokens", "preset cascade does not have it");
  ExpectBad({.budget_tokens = 8}, "budget_tokens", "preset cascade does not have it");
  ExpectBad({.triggers = TriggerSpec{.prefill_end = true}}, "triggers", "does not have it");
  ExpectBad({.visible = Visible::kWhenDue}, "visible", "does not have it");
  ExpectBad({.shared_prefix = SharedPrefix::kKeep}, "shared_prefix", "does not have it");
}

TEST(CascadeTest, RefusesSharedCachesAndSlidingWindows) {
  const PolicySpec spec{.preset = "cascade"};
  const absl::Status shared = MakePolicy(spec, ModelOfHeads({2, 0})).status();
  ExpectRefused(shared, "policy.preset", Reason::kNotInVersion);
  EXPECT_THAT(std::string(shared.message()), HasSubstr("several layers read"));
  const absl::Status window = MakePolicy(spec, UniformModel(2, 2, /*window_tokens=*/8)).status();
  ExpectRefused(window, "policy.preset", Reason::kNotInVersion);
  EXPECT_THAT(std::string(window.message()), HasSubstr("sliding window"));
}

TEST(CascadeTest, KeepsItsSize) {
  const absl::Status status = WithBudget(*Make({}), 100, kModel).status();
  ExpectRefused(status, "budget_tokens");
  EXPECT_THAT(std::string(status.message()), HasSubstr("preset cascade keeps its size"));
}

}  // namespace
}  // namespace sluice
