// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/tova.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::ElementsAre;

// related-methods.md, 5(h).
TEST(TovaTest, ExampleOfTwoHeads) {
  const TovaChoice choice = KeepByLastRow({{.1, .2, .3, .4}, {.5, .1, .1, .3}}, {.capacity = 3});
  EXPECT_THAT(choice.kept, ElementsAre(0, 2, 3));
  EXPECT_NEAR(choice.decision.margin, .25, 1e-12);  // .2 against .15
}

TEST(TovaTest, TheNewestTokenMayGoUnlessProtected) {
  const Rows last_row = {{.4, .3, .2, .1}};
  EXPECT_THAT(KeepByLastRow(last_row, {.capacity = 2}).kept, ElementsAre(0, 1));
  EXPECT_THAT(KeepByLastRow(last_row, {.capacity = 2, .protect_last = 1}).kept, ElementsAre(0, 3));
}

TEST(TovaTest, NothingGoesWithinTheCapacity) {
  EXPECT_THAT(KeepByLastRow({{.4, .6}}, {.capacity = 2}).kept, ElementsAre(0, 1));
}

TEST(TovaTest, HeadsHoldTheSameAndTheCapacityHolds) {
  std::mt19937_64 random(12);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 40});
  const TokenRun run = RunTova(tensors, 20, {.every = 1}, {.capacity = 6});
  ASSERT_EQ(run.steps.size(), 21u);
  for (const HeldStep& step : run.steps) {
    ASSERT_EQ(Size(step.held[0]), 6);
    ASSERT_EQ(step.held[0], step.held[1]);
  }
}

TEST(TovaTest, OneStepEqualsTheLastRowOverWhatWasHeld) {
  std::mt19937_64 random(13);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 13, .q_heads = 2, .kv_heads = 1});
  const TokenRun run = RunTova(tensors, 12, {.every = 1}, {.capacity = 5});
  Indices held = run.steps[0].held[0];
  held.push_back(12);
  const std::vector<Rows> p = GroupAttention(tensors, 0, 12, 13, held);
  const TovaChoice choice = KeepByLastRow({p[0][0], p[1][0]}, {.capacity = 5});
  EXPECT_EQ(run.steps[1].held[0], Gather(held, choice.kept));
}

}  // namespace
}  // namespace sluice::oracle
