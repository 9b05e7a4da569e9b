// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/registry.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

TEST(RegistryTest, EveryListedPresetIsMadeAndDescribed) {
  for (const PresetInfo& info : Presets()) {
    const auto policy = MakePolicy({.preset = std::string(info.name)}, UniformModel(4, 2));
    ASSERT_TRUE(policy.ok()) << info.name << ": " << policy.status();
    EXPECT_EQ((*policy)->spec().preset, info.name);
    EXPECT_FALSE(info.description.empty()) << info.name;
  }
}

TEST(RegistryTest, NoNameMeansFull) {
  const auto policy = MakePolicy({}, UniformModel(4, 2));
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ((*policy)->spec().preset, "full");
}

TEST(RegistryTest, AnUnknownNameIsRefusedWithTheAllowedOnes) {
  const absl::Status status = MakePolicy({.preset = "l3norm"}, UniformModel(4, 2)).status();
  ExpectRefused(status, "policy.preset");
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"l3norm\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("full, sink_window, l2norm"));
}

TEST(RegistryTest, AResolvedSpecResolvesToItself) {
  std::vector<PolicySpec> specs(13);
  specs[0].preset = "full";
  specs[1].preset = "sink_window";
  specs[2].preset = "l2norm";
  specs[3] = {.preset = "l2norm", .budget_tokens = 64};
  specs[4] = {.preset = "l2norm",
              .ratio = Ratio{0.5, Ratio::Of::kRemoved, Ratio::Rounding::kFloor}};
  specs[5].preset = "snapkv";
  specs[6].preset = "pyramidkv";
  specs[7].preset = "adakv";
  specs[8].preset = "dynamickv";
  specs[9].preset = "h2o";
  specs[10].preset = "tova";
  specs[11].preset = "cascade";
  specs[12].preset = "streaming_llm";
  const ModelFacts model = UniformModel(4, 2);
  for (const PolicySpec& spec : specs) {
    const auto once = MakePolicy(spec, model);
    ASSERT_TRUE(once.ok()) << once.status();
    const auto twice = MakePolicy((*once)->spec(), model);
    ASSERT_TRUE(twice.ok()) << twice.status();
    EXPECT_EQ((*twice)->spec(), (*once)->spec()) << spec.preset;
  }
}

TEST(RegistryTest, OnlyCascadesAndScoresByAttentionNeedSomethingOfTheirClient) {
  for (const PresetInfo& info : Presets()) {
    const auto policy = MakePolicy({.preset = std::string(info.name)}, UniformModel(4, 2));
    const PolicyNeeds& needs = (*policy)->needs();
    EXPECT_EQ(needs.observation_window_tokens, (*policy)->spec().window_tokens.value_or(0))
        << info.name;
    EXPECT_EQ((*policy)->scorer() == Scorer::kWindow, needs.observation_window_tokens > 0);
    const bool cascades = needs.cascade.has_value();
    const bool accumulates = (*policy)->scorer() == Scorer::kAccumulated;
    EXPECT_TRUE(cascades || needs.accumulated_score.has_value() == accumulates) << info.name;
    EXPECT_EQ(needs.q_of_every_row, accumulates || cascades) << info.name;
    EXPECT_NE(needs.allows_rollback && needs.adopts_prefix, accumulates || cascades) << info.name;
    EXPECT_EQ(needs.k_v_q_in_one_call && needs.rope_table, cascades) << info.name;
  }
}

TEST(WithBudgetTest, ABudgetOutOfRangeIsRefused) {
  const ModelFacts model = UniformModel(4, 2);
  for (const PresetInfo& info : Presets()) {
    const auto policy = MakePolicy({.preset = std::string(info.name)}, model);
    for (const int64_t tokens : {int64_t{-1}, int64_t{0}, int64_t{1} << 31}) {
      ExpectRefused(WithBudget(**policy, tokens, model).status(), "budget_tokens");
    }
  }
}

}  // namespace
}  // namespace sluice
