// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/l2norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

// core-methods.md, 2(i).
const Rows kKeys = {{3, 4}, {1, 0}, {0, 2}, {2, 2}, {0, 1}};
Row ExampleNorms() { return KeyNorms(kKeys); }

TEST(L2NormTest, ExampleNorms) {
  EXPECT_THAT(ExampleNorms(), ElementsAre(5, 1, 2, DoubleEq(std::sqrt(8.0)), 1));
}

TEST(L2NormTest, ExampleOfTheAuthorsRule) {
  const L2NormChoice choice = L2Compress(ExampleNorms(), 0, {.keep_ratio = .5, .prune_after = 5});
  EXPECT_THAT(choice.stored, ElementsAre(1, 4, 2));
  EXPECT_THAT(choice.kept, ElementsAre(1, 2, 4));
}

TEST(L2NormTest, ExampleBelowPruneAfter) {
  const L2CompressRule rule{.keep_ratio = .5, .prune_after = 6};
  EXPECT_THAT(L2Compress(ExampleNorms(), 0, rule).kept, ElementsAre(0, 1, 2, 3, 4));
}

TEST(L2NormTest, ExampleOfKnormPress) {
  EXPECT_EQ(KnormPressCount(5, .5), 2);
  EXPECT_THAT(KnormPress(ExampleNorms(), .5).kept, ElementsAre(1, 4));
}

TEST(L2NormTest, ExampleOfAFixedBudgetTokenByToken) {
  EXPECT_THAT(StreamFixedBudget(ExampleNorms(), 3).held,
              ElementsAre(ElementsAre(0), ElementsAre(0, 1), ElementsAre(0, 1, 2),
                          ElementsAre(1, 2, 3), ElementsAre(1, 2, 4)));
  EXPECT_THAT(KeepLowestNorms(ExampleNorms(), 3).kept, ElementsAre(1, 2, 4));
}

TEST(L2NormTest, ExampleOfANewTokenThatGoesAtOnce) {
  Row norms = ExampleNorms();
  norms.push_back(6);
  const L2Stream stream = StreamFixedBudget(norms, 2);
  EXPECT_THAT(stream.held[4], ElementsAre(1, 4));
  EXPECT_THAT(stream.held[5], ElementsAre(1, 4));
}

TEST(L2NormTest, ExampleOfTheSawTooth) {
  const L2Stream stream = StreamL2Compress(ExampleNorms(), 0, {.keep_ratio = .5, .prune_after = 4});
  EXPECT_THAT(stream.held, ElementsAre(ElementsAre(0), ElementsAre(0, 1), ElementsAre(0, 1, 2),
                                       ElementsAre(1, 2), ElementsAre(1, 2, 4)));
}

TEST(L2NormTest, ExampleOfTwoHeads) {
  EXPECT_THAT(KeepLowestNorms({1, 2, 3, 4, 5}, 3).kept, ElementsAre(0, 1, 2));
  EXPECT_THAT(KeepLowestNorms(ExampleNorms(), 3).kept, ElementsAre(1, 2, 4));
}

// core-methods.md, 2(c) and 2(h).
TEST(L2NormTest, CountsAreRoundedAsTheCodeRoundsThem) {
  EXPECT_EQ(AuthorCount(13, 0.6), 8);
  EXPECT_EQ(AuthorCount(100, 0.55), 56);
  EXPECT_EQ(AuthorCount(100, 0.07), 8);
  EXPECT_EQ(AuthorCount(1000, 0.98), 980);
  EXPECT_EQ(AuthorCount(4, 0.5), 2);
  EXPECT_EQ(KnormPressCount(13, 1.0 - 0.6), 7);
  EXPECT_EQ(KnormPressCount(100, 0.9), 9);
  EXPECT_EQ(KnormPressCount(100, 0.8), 19);
  EXPECT_EQ(KnormPressCount(3, 0.99), 1);
}

TEST(L2NormTest, SkippedLayersStay) {
  const L2CompressRule rule{.keep_ratio = .5, .prune_after = 0, .skip_layers = {0, 12}};
  EXPECT_EQ(Size(L2Compress(ExampleNorms(), 12, rule).kept), 5);
  EXPECT_EQ(Size(L2Compress(ExampleNorms(), 1, rule).kept), 3);
}

TEST(L2NormTest, WhatIsNotFiniteGoesFirst) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  const Row norms = KeyNorms({{nan, 1}, {100, 0}, {infinity, 0}, {50, 0}});
  EXPECT_THAT(KeepLowestNorms(norms, 2).kept, ElementsAre(1, 3));
}

TEST(L2NormTest, ProtectedSlotsStayAndCount) {
  EXPECT_THAT(KeepLowestNorms({9, 1, 2, 3, 8}, 3, 1, 1).kept, ElementsAre(0, 1, 4));
}

TEST(L2NormTest, EveryIntervalGoesToItsTarget) {
  const L2Stream stream = StreamEvery({5, 4, 3, 2, 1, 6, 7}, 3, 2);
  EXPECT_THAT(stream.held[2], ElementsAre(1, 2));
  EXPECT_THAT(stream.held[4], ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(stream.held[5], ElementsAre(3, 4));
  EXPECT_THAT(stream.held[6], ElementsAre(3, 4, 6));
}

TEST(L2NormTest, AFixedBudgetDoesNotDependOnThePath) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    std::mt19937_64 random(seed);
    Row norms;
    const int tokens = 1 + RandomBelow(random, 40);
    for (int i = 0; i < tokens; ++i) norms.push_back(RandomBelow(random, 12));  // many ties
    const int budget = 1 + RandomBelow(random, 20);
    ASSERT_EQ(StreamFixedBudget(norms, budget).held.back(), KeepLowestNorms(norms, budget).kept)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::oracle
