// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/policy_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::client {
namespace {

TEST(PolicyTextTest, NamesEverySizeThatThePolicyHas) {
  EXPECT_EQ(PolicyText({.preset = "full"}), "full");
  EXPECT_EQ(PolicyText({.preset = "sink_window", .sink_tokens = 4, .recent_tokens = 1024}),
            "sink_window: sink_tokens 4, recent_tokens 1,024");
  EXPECT_EQ(PolicyText({.preset = "l2norm",
                        .budget_tokens = 300,
                        .skip_layers = std::vector<int32_t>(),
                        .protect_first_tokens = 1,
                        .protect_last_tokens = 2}),
            "l2norm: budget_tokens 300, protect_first_tokens 1, protect_last_tokens 2, "
            "skip_layers none");
  EXPECT_EQ(PolicyText({.preset = "pyramidkv",
                        .budget_tokens = 300,
                        .window_tokens = 32,
                        .low_end_tokens = 10}),
            "pyramidkv: budget_tokens 300, window_tokens 32, low_end_tokens 10");
}

TEST(PolicyTextTest, ARatioSaysWhichWayItCounts) {
  const Ratio kept{0.5, Ratio::Of::kKept, Ratio::Rounding::kCeil};
  const Ratio removed{0.25, Ratio::Of::kRemoved, Ratio::Rounding::kFloor};
  EXPECT_EQ(PolicyText({.preset = "l2norm",
                        .ratio = kept,
                        .prune_after_tokens = 2048,
                        .skip_layers = std::vector<int32_t>{0, 1}}),
            "l2norm: keeps 50 % of a head's tokens, rounded up, prune_after_tokens 2,048, "
            "skip_layers 0 1");
  EXPECT_EQ(PolicyText({.preset = "l2norm", .ratio = removed}),
            "l2norm: removes 25 % of a head's tokens, rounded down");
}

TEST(PolicyTextTest, ACascadeNamesItsRingsAndActsAsTokensCome) {
  const Policy cascade{.preset = "cascade",
                       .sink_tokens = 64,
                       .cascade_tokens = 2048,
                       .cascades = 2,
                       .periods = std::vector<int64_t>{1, 2},
                       .stride_tokens = 1024,
                       .triggers = Triggers{}};
  EXPECT_EQ(PolicyText(cascade), "cascade: sink_tokens 64, cascade_tokens 2,048, cascades 2, "
                                 "stride_tokens 1,024, periods 1 2");
  EXPECT_EQ(ActsText(cascade), "as tokens come; in prefill every 1,024 tokens");
  EXPECT_EQ(ActsText({.triggers = Triggers{.pressure = true}}), "under memory pressure");
}

TEST(PolicyTextTest, TriggersAreNamed) {
  EXPECT_EQ(TriggersText({}), "on request only");
  EXPECT_EQ(TriggersText(Triggers{}), "on request only");
  EXPECT_EQ(TriggersText(Triggers{.prefill_end = true, .once = true}),
            "at the first end of prefill");
  EXPECT_EQ(
      TriggersText(Triggers{.prefill_end = true, .every = EveryTrigger{32, 16}, .pressure = true}),
      "at the end of prefill; every 32 decoded tokens, 16 over its budget; "
      "under memory pressure");
}

TEST(PolicyTextTest, WhatADaemonMayKnowBesidesIsANumber) {
  EXPECT_EQ(TriggerText(JobReport::Trigger::kPressure), "memory pressure");
  EXPECT_EQ(TriggerText(static_cast<JobReport::Trigger>(9)), "cause 9");
  EXPECT_EQ(OutcomeText(JobReport::Outcome::kNothingToEvict), "nothing to evict");
  EXPECT_EQ(OutcomeText(static_cast<JobReport::Outcome>(9)), "outcome 9");
}

}  // namespace
}  // namespace sluice::client
