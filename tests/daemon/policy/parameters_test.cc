// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/parameters.h"

#include <cmath>

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/refusal_matchers.h"

namespace sluice {
namespace {

constexpr TriggerSpec kDefaults{.prefill_end = true, .every_tokens = 32};

TEST(TokensOrTest, TakesTheFallbackOnlyWhereNothingIsGiven) {
  EXPECT_EQ(*TokensOr("sink_tokens", std::nullopt, 4, 0), 4);
  EXPECT_EQ(*TokensOr("sink_tokens", 0, 4, 0), 0);
  EXPECT_EQ(*TokensOr("sink_tokens", kMostTokens, 4, 0), kMostTokens);
}

TEST(TokensOrTest, RefusesWhatIsOutOfRange) {
  ExpectRefused(TokensOr("sink_tokens", -1, 4, 0).status(), "policy.parameters.sink_tokens");
  ExpectRefused(TokensOr("recent_tokens", 0, 4, 1).status(), "policy.parameters.recent_tokens");
  ExpectRefused(TokensOr("sink_tokens", kMostTokens + 1, 4, 0).status(),
                "policy.parameters.sink_tokens");
}

TEST(CheckRatioTest, AllowsTheWholeRangeOfEachKind) {
  for (const double value : {1e-9, 0.5, 1.0}) {
    EXPECT_TRUE(CheckRatio({value, Ratio::Of::kKept, Ratio::Rounding::kCeil}).ok()) << value;
  }
  for (const double value : {0.0, 0.5, 0.999}) {
    EXPECT_TRUE(CheckRatio({value, Ratio::Of::kRemoved, Ratio::Rounding::kFloor}).ok()) << value;
  }
}

TEST(CheckRatioTest, RefusesWhatKeepsNothingOrMoreThanAll) {
  const std::string field = "policy.parameters.ratio.value";
  for (const double value : {0.0, -0.1, 1.1, std::nan(""), HUGE_VAL}) {
    ExpectRefused(CheckRatio({value, Ratio::Of::kKept, Ratio::Rounding::kCeil}).status(), field);
  }
  for (const double value : {1.0, -0.1, std::nan(""), HUGE_VAL}) {
    ExpectRefused(CheckRatio({value, Ratio::Of::kRemoved, Ratio::Rounding::kCeil}).status(),
                  field);
  }
}

TEST(CheckSkipLayersTest, Sorts) {
  EXPECT_EQ(*CheckSkipLayers({2, 0}, UniformModel(3, 1)), (std::vector<int32_t>{0, 2}));
  EXPECT_TRUE(CheckSkipLayers({}, UniformModel(3, 1))->empty());
}

TEST(CheckSkipLayersTest, RefusesUnknownRepeatedAndAllLayers) {
  const ModelFacts model = UniformModel(3, 1);
  const std::string field = "policy.parameters.skip_layers";
  ExpectRefused(CheckSkipLayers({3}, model).status(), field);
  ExpectRefused(CheckSkipLayers({-1}, model).status(), field);
  ExpectRefused(CheckSkipLayers({1, 0, 1}, model).status(), field);
  ExpectRefused(CheckSkipLayers({0, 1, 2}, model).status(), field);
}

TEST(AllowParametersTest, NamesTheParameterThatThePresetLacks) {
  const PolicySpec spec{.preset = "sink_window", .sink_tokens = 1, .budget_tokens = 7};
  EXPECT_TRUE(AllowParameters(spec, {"sink_tokens", "budget_tokens"}).ok());
  ExpectRefused(AllowParameters(spec, {"sink_tokens"}), "policy.parameters.budget_tokens");
}

TEST(ResolveTriggersTest, GivenTriggersReplaceTheDefaultsWhole) {
  EXPECT_EQ(*ResolveTriggers(TriggerSpec{}, kDefaults, 16), TriggerSpec{});
  const TriggerSpec resolved = *ResolveTriggers(std::nullopt, kDefaults, 16);
  EXPECT_TRUE(resolved.prefill_end);
  EXPECT_EQ(resolved.every_tokens, 32);
  EXPECT_EQ(resolved.hysteresis_tokens, 16);
}

TEST(ResolveTriggersTest, AGivenHysteresisHolds) {
  const TriggerSpec given{.every_tokens = 8, .hysteresis_tokens = 0};
  EXPECT_EQ(*ResolveTriggers(given, kDefaults, 16), given);
}

TEST(ResolveTriggersTest, RefusesCombinationsThatMakeNoSense) {
  const std::string prefix = "policy.parameters.triggers.";
  const auto refuse = [&](const TriggerSpec& given, const std::string& field,
                          std::optional<int64_t> hysteresis) {
    ExpectRefused(ResolveTriggers(given, kDefaults, hysteresis).status(), prefix + field);
  };
  refuse({.once = true}, "once", 16);
  refuse({.every_tokens = 0}, "every.tokens", 16);
  refuse({.hysteresis_tokens = 1}, "every.hysteresis_tokens", 16);
  refuse({.every_tokens = 1, .hysteresis_tokens = -1}, "every.hysteresis_tokens", 16);
  refuse({.every_tokens = 1, .hysteresis_tokens = 1}, "every.hysteresis_tokens", std::nullopt);
}

TEST(ResolveTriggersTest, PressureIsOffUntilItIsNamed) {
  EXPECT_FALSE(ResolveTriggers(std::nullopt, kDefaults, 16)->pressure);
  const TriggerSpec given{.pressure = true};
  EXPECT_EQ(*ResolveTriggers(given, kDefaults, std::nullopt), given);
}

TEST(DefaultHysteresisTest, IsAPageOrASixteenthOfTheBudget) {
  EXPECT_EQ(DefaultHysteresis(100, UniformModel(1, 1)), kPageSize);
  EXPECT_EQ(DefaultHysteresis(1600, UniformModel(1, 1)), 100);
}

}  // namespace
}  // namespace sluice
