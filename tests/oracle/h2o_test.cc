// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/h2o.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

// related-methods.md, 2(h).
const std::vector<Rows> kPrompt = {
    {{1, 0, 0, 0}, {.6, .4, 0, 0}, {.1, .7, .2, 0}, {.1, .5, .1, .3}}};

TEST(H2oTest, ExampleOfAPrompt) {
  H2oHead head({.heavy = 1, .recent = 2});
  head.Attend(kPrompt);
  EXPECT_THAT(head.accumulated(), Pointwise(DoubleNear(1e-12), {1.8, 1.6, .3, .3}));
  head.Evict();
  EXPECT_THAT(head.held(), ElementsAre(0, 2, 3));
}

TEST(H2oTest, ExampleWithMeans) {
  H2oHead head({.heavy = 1, .recent = 2, .mean = true});
  head.Attend(kPrompt);
  EXPECT_THAT(head.Scores(), Pointwise(DoubleNear(5e-4), {.45, .533, .15, .30}));
  head.Evict();
  EXPECT_THAT(head.held(), ElementsAre(1, 2, 3));
}

TEST(H2oTest, ExampleOfTheNextToken) {
  H2oHead head({.heavy = 1, .recent = 2});
  head.Attend(kPrompt);
  head.Evict();
  head.Attend({{{.2, .5, .1, .2}}});
  EXPECT_THAT(head.held(), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(head.accumulated(), Pointwise(DoubleNear(1e-12), {2.0, .8, .4, .2}));
  head.Evict();
  EXPECT_THAT(head.held(), ElementsAre(0, 3, 4));
}

TEST(H2oTest, MeansCountTheRowsSinceTheTokenCame) {
  H2oHead head({.heavy = 1, .recent = 1, .mean = true});
  head.Attend({{{1, 0}, {.5, .5}}});
  head.Attend({{{.3, .3, .4}}});
  EXPECT_THAT(head.Scores(), Pointwise(DoubleNear(1e-12), {.6, .4, .4}));
}

TEST(H2oTest, AGroupIsReducedAsAsked) {
  const std::vector<Rows> p = {{{.2, .8}}, {{.6, .4}}};
  H2oHead mean({.heavy = 4, .recent = 4});
  mean.Attend({{{1}}, {{1}}});
  mean.Attend(p);
  EXPECT_THAT(mean.accumulated(), Pointwise(DoubleNear(1e-12), {1.4, .6}));
  H2oHead squares({.heavy = 4, .recent = 4, .squared = true, .reduce = GroupReduce::kSum});
  squares.Attend({{{1}}, {{1}}});
  squares.Attend(p);
  EXPECT_THAT(squares.accumulated(), Pointwise(DoubleNear(1e-12), {2.4, .8}));
}

TEST(H2oTest, NothingGoesWithinTheBudget) {
  std::mt19937_64 random(8);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 20});
  const TokenRun run = RunH2o(tensors, 12, {.every = 1}, {.heavy = 10, .recent = 10});
  EXPECT_EQ(run.steps.back().held, HeadSets(2, Range(20)));
}

TEST(H2oTest, TheBudgetAndTheRecentTokensHoldAtEveryStep) {
  std::mt19937_64 random(9);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 40});
  const TokenRun run = RunH2o(tensors, 20, {.every = 1}, {.heavy = 5, .recent = 3});
  ASSERT_EQ(run.steps.size(), 21u);
  for (const HeldStep& step : run.steps) {
    for (const Indices& held : step.held) {
      ASSERT_EQ(Size(held), 8);
      ASSERT_EQ(Indices(held.end() - 3, held.end()),
                (Indices{step.tokens - 3, step.tokens - 2, step.tokens - 1}));
    }
  }
}

TEST(H2oTest, AnIntervalActsOnlyWhenItIsDue) {
  std::mt19937_64 random(10);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 18});
  const TokenRun run = RunH2o(tensors, 10, {.every = 4}, {.heavy = 3, .recent = 3});
  std::vector<int> sizes;
  for (const HeldStep& step : run.steps) sizes.push_back(Size(step.held[0]));
  EXPECT_THAT(sizes, ElementsAre(6, 7, 8, 9, 6, 7, 8, 9, 6));
  EXPECT_EQ(run.decisions.size(), 6u);  // three times two heads
}

TEST(H2oTest, HysteresisWaitsForThatManyMore) {
  std::mt19937_64 random(10);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 16});
  const TokenRun run =
      RunH2o(tensors, 10, {.every = 2, .hysteresis = 4}, {.heavy = 3, .recent = 3});
  std::vector<int> sizes;
  for (const HeldStep& step : run.steps) sizes.push_back(Size(step.held[0]));
  EXPECT_THAT(sizes, ElementsAre(6, 7, 8, 9, 6, 7, 8));
}

TEST(H2oTest, TokensCountOnWhereItIsNotYetOverItsBudget) {
  std::mt19937_64 random(10);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 14});
  const TokenRun run = RunH2o(tensors, 4, {.every = 2}, {.heavy = 4, .recent = 3});
  std::vector<int> sizes;
  for (const HeldStep& step : run.steps) sizes.push_back(Size(step.held[0]));
  EXPECT_THAT(sizes, ElementsAre(4, 5, 6, 7, 7, 8, 7, 8, 7, 8, 7));
}

TEST(H2oTest, ALayersMassIsAllThatWasGivenOut) {
  std::mt19937_64 random(11);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 15, .q_heads = 3, .kv_heads = 1});
  H2oHead head({.heavy = 20, .recent = 20, .reduce = GroupReduce::kSum});
  head.Attend(GroupAttention(tensors, 0, 0, 15, Range(15)));
  const Row& mass = head.accumulated();
  EXPECT_NEAR(std::accumulate(mass.begin(), mass.end(), 0.0), 15 * 3, 1e-9);
}

}  // namespace
}  // namespace sluice::oracle
