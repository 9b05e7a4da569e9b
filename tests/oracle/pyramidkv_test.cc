// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/pyramidkv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr PyramidArithmetic kReference = PyramidArithmetic::kReference;
constexpr PyramidArithmetic kExact = PyramidArithmetic::kExact;

int Sum(const Indices& counts) { return std::accumulate(counts.begin(), counts.end(), 0); }

PyramidRule Rule(int layers, int capacity, PyramidArithmetic arithmetic) {
  return {.layers = layers, .capacity = capacity, .window = 8, .arithmetic = arithmetic};
}

// related-methods.md, 4(h).
TEST(PyramidKvTest, ExampleBudgets) {
  for (PyramidArithmetic arithmetic : {kReference, kExact}) {
    const Indices budgets = PyramidBudgets(Rule(4, 64, arithmetic), 1000);
    EXPECT_THAT(budgets, ElementsAre(110, 74, 38, 2));
    EXPECT_EQ(Sum(budgets), 4 * 56);
  }
}

TEST(PyramidKvTest, ExampleOfAShortPrompt) {
  for (PyramidArithmetic arithmetic : {kReference, kExact}) {
    EXPECT_THAT(PyramidBudgets(Rule(4, 64, arithmetic), 100), ElementsAre(56, 56, 56, 56));
    EXPECT_THAT(PyramidLine(Rule(4, 64, arithmetic), 100), ElementsAre(92, 68, 44, 20));
  }
}

// related-methods.md, 4(c), trap 1.
TEST(PyramidKvTest, TheFlooredStepOverspends) {
  const Indices floored = PyramidBudgets(Rule(32, 128, kReference), 4096);
  EXPECT_EQ(floored.front(), 234);
  EXPECT_EQ(floored.back(), 17);
  EXPECT_EQ(Sum(floored), 4016);
  const Indices exact = PyramidBudgets(Rule(32, 128, kExact), 4096);
  EXPECT_EQ(exact.front(), 234);
  EXPECT_EQ(exact.back(), 6);
  EXPECT_EQ(Sum(exact), 3840);
}

// related-methods.md, 4(c), trap 2.
TEST(PyramidKvTest, KvpressIsFlatWhereTheLowEndIsBelowTheWindow) {
  EXPECT_THAT(KvpressPyramid(32, 4096, 0.75, 64, 20), Each(1024));
  EXPECT_THAT(KvpressPyramid(32, 4096, 0.875, 64, 20), Each(512));
  const Indices half = KvpressPyramid(32, 4096, 0.5, 64, 20);
  EXPECT_EQ(half.front(), 3994);  // 2 * 2048 - 102.4, rounded
  EXPECT_EQ(half.back(), 102);
}

TEST(PyramidKvTest, TheLowEndMayBeGivenInTokens) {
  PyramidRule rule = Rule(4, 64, kExact);
  rule.low_tokens = 26;
  EXPECT_THAT(PyramidBudgets(rule, 1000), ElementsAre(86, 66, 46, 26));
}

TEST(PyramidKvTest, ShortPromptsStayWhole) {
  const Outcome outcome = PyramidKv({{{1, 2}}, {{1, 2}}}, Rule(2, 11, kExact));
  EXPECT_THAT(outcome.kept, Each(Each(testing::SizeIs(10))));
}

TEST(PyramidKvTest, ExactSumsHoldForEveryShape) {
  std::mt19937_64 random(6);
  for (int run = 0; run < 1000; ++run) {
    const int layers = 1 + RandomBelow(random, 40);
    PyramidRule rule = Rule(layers, 9 + RandomBelow(random, 300), kExact);
    rule.beta = 1 + RandomBelow(random, 30);
    const int slots = rule.capacity + RandomBelow(random, 2000);
    const Indices budgets = PyramidBudgets(rule, slots);
    ASSERT_EQ(Sum(budgets), layers * (rule.capacity - 8));
    for (int layer = 1; layer < layers; ++layer) ASSERT_LE(budgets[layer], budgets[layer - 1]);
    ASSERT_LE(budgets[0], slots - 8);
    ASSERT_GE(budgets.back(), 0);
  }
}

TEST(PyramidKvTest, HeadsOfALayerShareItsBudget) {
  std::mt19937_64 random(7);
  const PyramidRule rule{.layers = 4, .capacity = 12, .window = 2, .arithmetic = kExact};
  const Outcome outcome = PyramidKv(RandomScores(random, 4, 2, 60), rule);
  const Indices budgets = PyramidBudgets(rule, 62);
  EXPECT_GT(budgets.front(), budgets.back());
  for (int layer = 0; layer < 4; ++layer) {
    for (const Indices& kept : outcome.kept[layer]) EXPECT_EQ(Size(kept), budgets[layer] + 2);
  }
}

}  // namespace
}  // namespace sluice::oracle
