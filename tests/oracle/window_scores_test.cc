// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/window_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/oracle/random_tensors.h"
#include "tests/oracle/select.h"

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

// core-methods.md, 1(i), pooling check.
TEST(PoolTest, OfTheDynamicKvExample) {
  const Row row = {0, 0, 6, 0, 0, 0, 3};
  const Row maxima = Pool(row, PoolKind::kMax, 3);
  const Row averages = Pool(row, PoolKind::kAverage, 3);
  EXPECT_THAT(maxima, ElementsAre(0, 6, 6, 6, 0, 3, 3));
  EXPECT_THAT(averages, ElementsAre(0, 2, 2, 2, 0, 1, 1));
  EXPECT_THAT(SelectTop(maxima, 3).chosen[0], ElementsAre(1, 2, 3));
  EXPECT_THAT(SelectTop(averages, 3).chosen[0], ElementsAre(1, 2, 3));
}

TEST(PoolTest, WidthOneAndNoneChangeNothing) {
  EXPECT_THAT(Pool({1, 3, 2}, PoolKind::kAverage, 1), ElementsAre(1, 3, 2));
  EXPECT_THAT(Pool({1, 3, 2}, PoolKind::kNone, 5), ElementsAre(1, 3, 2));
}

TEST(PoolTest, AMaximumIgnoresWhatLiesOutside) {
  EXPECT_THAT(Pool({-3, -2}, PoolKind::kMax, 5), ElementsAre(-2, -2));
}

// Two query heads, two rows, four slots of which the last two are the window's.
const std::vector<Rows> kTwoHeads = {{{.1, .2, .7, 0}, {.3, .1, .2, .4}},
                                     {{.5, .1, .4, 0}, {.1, .1, .1, .7}}};

TEST(WindowScoresTest, SumOverRowsThenGroupThenPrefix) {
  const WindowRule rule{.window = 2, .reduce = GroupReduce::kMean, .pool = PoolKind::kNone};
  EXPECT_THAT(WindowScores(kTwoHeads, 2, rule),
              ElementsAre(DoubleNear(.5, 1e-12), DoubleNear(.25, 1e-12)));
  const WindowRule by_max{.window = 2, .reduce = GroupReduce::kMax, .pool = PoolKind::kNone};
  EXPECT_THAT(WindowScores(kTwoHeads, 2, by_max),
              ElementsAre(DoubleNear(.6, 1e-12), DoubleNear(.3, 1e-12)));
}

TEST(WindowScoresTest, TheWindowIsInTheSoftmaxButNotInThePool) {
  const WindowRule rule{2, GroupReduce::kMean, PoolKind::kMax, 3};
  EXPECT_THAT(WindowScores(kTwoHeads, 2, rule),
              ElementsAre(DoubleNear(.5, 1e-12), DoubleNear(.5, 1e-12)));
}

TEST(WindowScoresTest, AveragePoolingAndMeanCommute) {
  std::mt19937_64 random(3);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 40, .q_heads = 2, .kv_heads = 1});
  const WindowRule rule{8, GroupReduce::kMean, PoolKind::kAverage, 5};
  const Row grouped = WindowScores(tensors, 0, 40, Range(40), rule);
  const std::vector<Rows> p = GroupAttention(tensors, 0, 32, 40, Range(40));
  const Row first = WindowScores({p[0]}, 32, rule);
  const Row second = WindowScores({p[1]}, 32, rule);
  for (int t = 0; t < 32; ++t) EXPECT_NEAR(grouped[t], (first[t] + second[t]) / 2, 1e-12);
}

TEST(WindowScoresTest, FromTensorsEqualTheFormulaWrittenOut) {
  std::mt19937_64 random(4);
  const LayerTensors tensors =
      RandomTensors(random, {.tokens = 9, .q_heads = 1, .kv_heads = 1, .dim = 4});
  Row expected(7, 0.0);
  for (int i = 7; i < 9; ++i) {
    Row weights;
    double sum = 0;
    for (int j = 0; j <= i; ++j) {
      double dot = 0;
      for (int c = 0; c < 4; ++c) dot += tensors.q[0][i][c] * tensors.k[0][j][c];
      weights.push_back(std::exp(dot / 2));
      sum += weights.back();
    }
    for (int j = 0; j < 7; ++j) expected[j] += weights[j] / sum;
  }
  const Rows scores = PromptWindowScores(tensors, 9, {2, GroupReduce::kMean, PoolKind::kNone, 1});
  ASSERT_EQ(scores[0].size(), 7u);
  for (int j = 0; j < 7; ++j) EXPECT_NEAR(scores[0][j], expected[j], 1e-12);
}

TEST(WindowScoresTest, AfterAnEvictionPoolingGoesAlongWhatIsHeld) {
  std::mt19937_64 random(5);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 12, .q_heads = 1, .kv_heads = 1});
  const Indices held = {0, 3, 7, 10, 11};
  const WindowRule plain{2, GroupReduce::kMean, PoolKind::kNone, 1};
  const WindowRule pooled{2, GroupReduce::kMean, PoolKind::kMax, 3};
  const Row scores = WindowScores(tensors, 0, 12, held, plain);
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_EQ(WindowScores(tensors, 0, 12, held, pooled), Pool(scores, PoolKind::kMax, 3));
}

}  // namespace
}  // namespace sluice::oracle
