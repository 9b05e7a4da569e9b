// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/registry.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/plain_sequence.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

PolicyPtr Make(const PolicySpec& spec, const ModelFacts& model) {
  const auto policy = MakePolicy(spec, model);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

PolicySpec Spec(int64_t sinks, int64_t recent) {
  return {.preset = "sink_window", .sink_tokens = sinks, .recent_tokens = recent};
}

TEST(SinkWindowTest, ResolvesItsDefaults) {
  const PolicyPtr policy = Make({.preset = "sink_window"}, UniformModel(4, 2));
  EXPECT_EQ(policy->spec().sink_tokens, 4);
  EXPECT_EQ(policy->spec().recent_tokens, 512);
  EXPECT_EQ(policy->triggers(), (TriggerSpec{.prefill_end = true, .every_tokens = 32,
                                             .hysteresis_tokens = 32}));
  EXPECT_EQ(policy->visible(), Visible::kWhenDue);
  EXPECT_EQ(policy->spec().shared_prefix, SharedPrefix::kCompress);
}

TEST(SinkWindowTest, RefusesBadParameters) {
  const ModelFacts model = UniformModel(4, 2);
  ExpectRefused(MakePolicy(Spec(-1, 8), model).status(), "policy.parameters.sink_tokens");
  ExpectRefused(MakePolicy(Spec(4, 0), model).status(), "policy.parameters.recent_tokens");
  PolicySpec spec = Spec(4, 8);
  spec.skip_layers.emplace();
  ExpectRefused(MakePolicy(spec, model).status(), "policy.parameters.skip_layers");
}

TEST(SinkWindowTest, TheRecentWindowOrTheDraftIsHot) {
  const PolicyPtr policy = Make(Spec(2, 8), UniformModel(1, 1));
  EXPECT_EQ(policy->SnapshotTokens(100, 0, 0), 92);
  EXPECT_EQ(policy->SnapshotTokens(100, 12, 0), 88);
  EXPECT_EQ(policy->SnapshotTokens(5, 0, 0), 0);
  EXPECT_EQ(policy->SnapshotTokens(100, 0, 95), 95);
}

TEST(SinkWindowTest, WaitsForTokensAndForHysteresis) {
  const PolicyPtr policy = Make(Spec(4, 96), UniformModel(1, 1));
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 131, .decoded_tokens = 64}));
  EXPECT_TRUE(policy->Acts(Trigger::kEvery, {.most_slots = 132, .decoded_tokens = 32}));
  EXPECT_FALSE(policy->Acts(Trigger::kEvery, {.most_slots = 132, .decoded_tokens = 31}));
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 101}));
  EXPECT_FALSE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 100}));
}

TEST(SinkWindowTest, OncePrefillActsAtItsFirstEndOnly) {
  PolicySpec spec = Spec(4, 96);
  spec.triggers = TriggerSpec{.prefill_end = true, .once = true};
  const PolicyPtr policy = Make(spec, UniformModel(1, 1));
  EXPECT_TRUE(policy->Acts(Trigger::kPrefillEnd, {.most_slots = 200}));
  EXPECT_FALSE(
      policy->Acts(Trigger::kPrefillEnd, {.most_slots = 200, .earlier_prefill_ends = 1}));
}

TEST(SinkWindowTest, HoldsAtMostBudgetPlusHysteresisWhileDecoding) {
  PlainSequence sequence(Make(Spec(4, 60), UniformModel(1, 1)), {{}});
  sequence.Add(200, /*decode=*/false);
  EXPECT_EQ(sequence.held()[0].size(), 64u);
  for (int i = 0; i < 320; ++i) {
    sequence.Add(1, /*decode=*/true);
    ASSERT_LT(sequence.held()[0].size(), 96u);
  }
  EXPECT_EQ(sequence.jobs(), 11);
  EXPECT_EQ(sequence.held()[0][3], 3);
  EXPECT_EQ(sequence.held()[0].back(), 519);
}

TEST(SinkWindowTest, AfterAnotherPolicyTheRecentTokensStillHeldStay) {
  const ModelFacts model = UniformModel(1, 1);
  // Norms grow with the position, so l2norm keeps 0..9.
  std::vector<float> scores;
  for (int i = 0; i < 24; ++i) scores.push_back(static_cast<float>(-i));
  PlainSequence sequence(Make({.preset = "l2norm", .budget_tokens = 10}, model), {scores});
  sequence.Add(20, /*decode=*/false);
  sequence.set_policy(Make(Spec(1, 16), model));
  sequence.Add(4, /*decode=*/true);
  sequence.Compress();
  // 16 recent tokens start at 8; places of those that are gone go to old ones.
  EXPECT_EQ(sequence.held()[0],
            (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22, 23}));
}

TEST(SinkWindowTest, AnotherBudgetChangesTheWindow) {
  const ModelFacts model = UniformModel(1, 1);
  const PolicyPtr policy = Make(Spec(4, 60), model);
  const auto narrowed = WithBudget(*policy, 20, model);
  ASSERT_TRUE(narrowed.ok()) << narrowed.status();
  EXPECT_EQ((*narrowed)->spec().sink_tokens, 4);
  EXPECT_EQ((*narrowed)->recent_tokens(), 16);
  ExpectRefused(WithBudget(*policy, 4, model).status(), "budget_tokens");
}

}  // namespace
}  // namespace sluice
