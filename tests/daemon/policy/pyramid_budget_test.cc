// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pyramid_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "gtest/gtest.h"

namespace sluice {
namespace {

using Budgets = std::vector<int64_t>;

int64_t Sum(const Budgets& budgets) {
  return std::accumulate(budgets.begin(), budgets.end(), int64_t{0});
}

TEST(PyramidLineTest, FallsByEqualStepsWhereTheyAreWhole) {
  EXPECT_EQ(PyramidLine(56, 2, 992, 4), (Budgets{110, 74, 38, 2}));
}

TEST(PyramidLineTest, WhereTheFirstLayerHasNotEnoughTheLastKeepsMore) {
  EXPECT_EQ(PyramidLine(56, 2, 92, 4), (Budgets{92, 68, 44, 20}));
}

TEST(PyramidLineTest, RoundsByLargestRemainderSoThatTheSumIsExact) {
  const Budgets line = PyramidLine(120, 6, 4000, 32);
  EXPECT_EQ(line.front(), 234);
  EXPECT_EQ(line.back(), 6);
  EXPECT_EQ(Sum(line), 3840);
  // Steps of 10 / 3: 10, 6 2/3, 3 1/3, 0; the one slot left goes to 2/3.
  EXPECT_EQ(PyramidLine(5, 0, 100, 4), (Budgets{10, 7, 3, 0}));
}

TEST(PyramidLineTest, TiesGoToTheLowerLayer) {
  // Steps of 1 / 2: 2, 1 1/2, 1, 1/2, 0.
  EXPECT_EQ(PyramidLine(1, 0, 100, 5), (Budgets{2, 2, 1, 0, 0}));
}

TEST(PyramidLineTest, OneLayerHasTheMean) { EXPECT_EQ(PyramidLine(56, 2, 992, 1), Budgets{56}); }

TEST(PyramidBudgetsTest, ShortPromptsHaveNoPyramid) {
  EXPECT_EQ(PyramidBudgets(56, 2, 8, 100, 4), Budgets(4, 56));
  EXPECT_EQ(PyramidBudgets(56, 2, 8, 111, 4), Budgets(4, 56));
  EXPECT_EQ(PyramidBudgets(56, 2, 8, 112, 4), (Budgets{104, 72, 40, 8}));
  EXPECT_EQ(PyramidBudgets(56, 2, 8, 64, 4), Budgets(4, 56));
  EXPECT_EQ(PyramidBudgets(56, 2, 8, 5, 4), Budgets(4, 56));
}

TEST(PyramidBudgetsTest, ANarrowBudgetNeverExceedsWhatALayerHolds) {
  // Twice the mean is less than the window: the line is flat at the budget itself.
  EXPECT_EQ(PyramidBudgets(3, 0, 8, 11, 4), Budgets(4, 3));
  EXPECT_EQ(PyramidBudgets(3, 0, 8, 12, 4), (Budgets{4, 3, 3, 2}));
}

TEST(PyramidBudgetsTest, RandomLinesAreExactFallingAndWithinTheLayer) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const int64_t layers = 1 + random() % 80;
    const int64_t mean = 1 + random() % 4096;
    const int64_t low = random() % (static_cast<uint64_t>(mean) + 1);
    const int64_t window = 1 + random() % 64;
    const int64_t held = mean + window + random() % 10000;
    const Budgets budgets = PyramidBudgets(mean, low, window, held, layers);
    ASSERT_EQ(Sum(budgets), layers * mean);
    ASSERT_TRUE(std::is_sorted(budgets.rbegin(), budgets.rend()));
    ASSERT_GE(budgets.back(), std::min(low, mean));
    ASSERT_LE(budgets.front(), held - window);
    const double first = static_cast<double>(budgets.front());
    const double fall = first - static_cast<double>(budgets.back());
    for (int64_t layer = 0; layers > 1 && layer < layers; ++layer) {
      const double line = first - fall * static_cast<double>(layer) / static_cast<double>(layers - 1);
      ASSERT_LT(std::abs(static_cast<double>(budgets[static_cast<size_t>(layer)]) - line), 1.0);
    }
  }
}

}  // namespace
}  // namespace sluice
