// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/snapkv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/oracle/random_tensors.h"
#include "tests/oracle/window_scores.h"

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

// related-methods.md, 3(h): 8 slots, a window of 2, 3 of the prefix.
const Row kPrefix = {.30, .02, .02, .40, .02, .04};
const SnapKvRule kRule{.capacity = 5, .window = 2};

TEST(SnapKvTest, ExampleWithAveragePooling) {
  const Row pooled = Pool(kPrefix, PoolKind::kAverage, 3);
  EXPECT_THAT(pooled,
              Pointwise(testing::DoubleNear(5e-5), {.1067, .1133, .1467, .1467, .1533, .02}));
  EXPECT_THAT(SnapKv({{pooled}}, kRule).kept[0][0], ElementsAre(2, 3, 4, 6, 7));
}

TEST(SnapKvTest, ExampleWithMaximumPooling) {
  const Row pooled = Pool(kPrefix, PoolKind::kMax, 3);
  EXPECT_THAT(SnapKv({{pooled}}, kRule).kept[0][0], ElementsAre(2, 3, 4, 6, 7));
}

TEST(SnapKvTest, ExampleWithoutPooling) {
  EXPECT_THAT(SnapKv({{kPrefix}}, kRule).kept[0][0], ElementsAre(0, 3, 5, 6, 7));
}

TEST(SnapKvTest, ShortPromptsStayWhole) {
  EXPECT_THAT(SnapKv({{{.1, .2}}}, kRule).kept[0][0], ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(SnapKv({{{.1, .2, .3}}}, kRule).kept[0][0], ElementsAre(0, 1, 2, 3, 4));
}

TEST(SnapKvTest, EveryHeadChoosesForItself) {
  const Outcome outcome = SnapKv({{{3, 2, 1}, {1, 2, 3}}}, {.capacity = 3, .window = 1});
  EXPECT_THAT(outcome.kept[0], ElementsAre(ElementsAre(0, 1, 3), ElementsAre(1, 2, 3)));
  EXPECT_THAT(outcome.budgets[0], ElementsAre(2, 2));
  ASSERT_EQ(outcome.decisions.size(), 2u);
  EXPECT_DOUBLE_EQ(outcome.decisions[1].margin, 0.5);
}

TEST(SnapKvTest, CapacityOfARatioIsFloored) {
  EXPECT_EQ(KvpressCapacity(100, 0.9), 9);
  EXPECT_EQ(KvpressCapacity(5, 0.99), 1);
}

TEST(SnapKvTest, TheWindowAndTheBudgetHoldOnRandomTensors) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    const LayerTensors tensors = RandomTensors(random, {.tokens = 40});
    const Outcome outcome =
        SnapKv({PromptWindowScores(tensors, 40, {.window = 4})}, {.capacity = 12, .window = 4});
    for (const Indices& kept : outcome.kept[0]) {
      ASSERT_EQ(Size(kept), 12) << "seed " << seed;
      ASSERT_EQ(Indices(kept.end() - 4, kept.end()), (Indices{36, 37, 38, 39}));
    }
  }
}

}  // namespace
}  // namespace sluice::oracle
