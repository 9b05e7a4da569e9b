// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/cascade_policy.h"
#include "daemon/policy/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

const ModelFacts kModel = UniformModel(4, 2);

PolicyPtr Make(PolicySpec spec) {
  spec.preset = "streaming_llm";
  const auto policy = MakePolicy(spec, kModel);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

// Expects that `parameter` is refused and the message has `text`.
void ExpectBad(PolicySpec spec, const std::string& parameter, const std::string& text) {
  spec.preset = "streaming_llm";
  const absl::Status status = MakePolicy(spec, kModel).status();
  ExpectRefused(status, "policy.parameters." + parameter);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(StreamingLlmTest, ResolvesItsDefaults) {
  const PolicySpec spec = Make({})->spec();
  EXPECT_EQ(spec.sink_tokens, 4);
  EXPECT_EQ(spec.recent_tokens, 512);
  EXPECT_EQ(spec.stride_tokens, 512);
  EXPECT_EQ(spec.triggers, TriggerSpec{});
  EXPECT_FALSE(spec.cascades || spec.cascade_tokens || spec.periods || spec.decay);
}

TEST(StreamingLlmTest, IsOneRingThatLeavesRoomForTheNewestToken) {
  const PolicyPtr policy = Make({.sink_tokens = 2, .recent_tokens = 3, .stride_tokens = 9});
  EXPECT_EQ(policy->needs().cascade, (CascadeRule{.sink_tokens = 2,
                                                  .ring_slots = 2,
                                                  .periods = {1},
                                                  .eager_fill = true,
                                                  .stride_tokens = 9}));
  EXPECT_FALSE(policy->needs().accumulated_score.has_value());
}

TEST(StreamingLlmTest, NeedsThatEverythingComesTogetherAndNothingGoesBack) {
  const PolicyNeeds needs = Make({})->needs();
  EXPECT_TRUE(needs.q_of_every_row && needs.k_v_q_in_one_call && needs.rope_table);
  EXPECT_FALSE(needs.allows_rollback || needs.adopts_prefix);
  EXPECT_EQ(needs.observation_window_tokens, 0);
}

TEST(StreamingLlmTest, WhatIsOutOfRangeOrOfOthersIsRefused) {
  ExpectBad({.sink_tokens = -1}, "sink_tokens", "is -1; allowed: 0 to 536870911");
  ExpectBad({.recent_tokens = 1}, "recent_tokens", "is 1; allowed: 2 to 536870911");
  ExpectBad({.recent_tokens = kMostCascadeTokens + 1}, "recent_tokens", "is 536870912");
  ExpectBad({.stride_tokens = 0}, "stride_tokens", "is 0; allowed: 1 to 65536");
  ExpectBad({.group_reduce = HeadReduce::kMax}, "group_reduce", "does not have it");
  ExpectBad({.cascades = 1}, "cascades", "does not have it");
  ExpectBad({.triggers = TriggerSpec{.pressure = true}}, "triggers", "does not have it");
  ExpectBad({.visible = Visible::kWhenReady}, "visible", "does not have it");
}

TEST(StreamingLlmTest, RefusesSharedCachesAndSlidingWindows) {
  const PolicySpec spec{.preset = "streaming_llm"};
  ExpectRefused(MakePolicy(spec, ModelOfHeads({2, 0})).status(), "policy.preset",
                Reason::kNotInVersion);
  ExpectRefused(MakePolicy(spec, UniformModel(2, 2, /*window_tokens=*/8)).status(),
                "policy.preset", Reason::kNotInVersion);
}

TEST(StreamingLlmTest, KeepsItsSizeAndNeverActs) {
  const PolicyPtr policy = Make({});
  ExpectRefused(WithBudget(*policy, 100, kModel).status(), "budget_tokens");
  EXPECT_FALSE(policy->Acts(Trigger::kRequest, {.most_slots = 1 << 20}));
}

}  // namespace
}  // namespace sluice
