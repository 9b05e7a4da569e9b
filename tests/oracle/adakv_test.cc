// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/adakv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;

constexpr AdaKvRounding kHalfToEven = AdaKvRounding::kHalfToEven;
constexpr AdaKvRounding kLargestRemainder = AdaKvRounding::kLargestRemainder;

// related-methods.md, 6(h).
const Rows kTwoHeads = {{.9, .04, .02, .01, .01, .01, .005, .005},
                        {.2, .15, .15, .12, .11, .1, .09, .08}};

TEST(AdaKvTest, ExampleOfTheOfficialForm) {
  for (AdaKvRounding rounding : {kHalfToEven, kLargestRemainder}) {
    const AdaKvBudgets result =
        AdaKvLayerBudgets(kTwoHeads, 5, {.alpha = .2, .rounding = rounding});
    EXPECT_THAT(result.winners, ElementsAre(2, 8));
    EXPECT_THAT(result.budgets, ElementsAre(3, 7));
  }
}

TEST(AdaKvTest, ExampleOfTheSafeguardForm) {
  const Outcome outcome = AdaKvSafeguard(kTwoHeads, 5, 0, .2);
  EXPECT_THAT(outcome.budgets[0], ElementsAre(2, 8));
  EXPECT_THAT(outcome.kept[0], ElementsAre(ElementsAre(0, 1), SizeIs(8)));
}

TEST(AdaKvTest, HeadsKeepTheirOwnBestAndTheWindow) {
  const Outcome outcome = AdaKv({kTwoHeads}, 7, 2, {.alpha = .2});
  EXPECT_THAT(outcome.kept[0],
              ElementsAre(ElementsAre(0, 1, 2, 8, 9), ElementsAre(0, 1, 2, 3, 4, 5, 6, 8, 9)));
}

TEST(AdaKvTest, ShortPromptsStayWhole) {
  const Outcome outcome = AdaKv({kTwoHeads}, 11, 2, {.alpha = .2});
  EXPECT_THAT(outcome.kept[0], Each(SizeIs(10)));
}

TEST(AdaKvTest, HalfToEvenMayMissTheSum) {
  // Winners (1, 1): quotas 0.5 each.
  const Rows scores = {{5, 1}, {4, 2}};
  EXPECT_THAT(AdaKvLayerBudgets(scores, 1, {.alpha = .5, .rounding = kHalfToEven}).budgets,
              ElementsAre(0, 0));
  EXPECT_THAT(AdaKvLayerBudgets(scores, 1, {.alpha = .5, .rounding = kLargestRemainder}).budgets,
              ElementsAre(1, 1));
}

TEST(AdaKvTest, NormalisingFavoursConcentratedHeads) {
  const Rows scores = {{4, 0, 0, 0}, {3, 3, 3, 3}};
  EXPECT_THAT(AdaKvLayerBudgets(scores, 1, {.alpha = 0}).winners, ElementsAre(1, 1));
  const Rows flat = {{2, 0, 0, 0}, {3, 3, 3, 3}};
  EXPECT_THAT(AdaKvLayerBudgets(flat, 1, {.alpha = 0}).winners, ElementsAre(0, 2));
  EXPECT_THAT(AdaKvLayerBudgets(flat, 1, {.alpha = 0, .normalise = true}).winners,
              ElementsAre(1, 1));
}

TEST(AdaKvTest, LargestRemainderMeetsTheSum) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    std::mt19937_64 random(seed);
    const int heads = 1 + RandomBelow(random, 8);
    const int slots = 1 + RandomBelow(random, 60);
    const int mean = 1 + RandomBelow(random, slots);
    const AdaKvRule rule{.alpha = RandomBelow(random, 11) / 10.0};
    const Rows scores = RandomScores(random, 1, heads, slots)[0];
    const Indices budgets = AdaKvLayerBudgets(scores, mean, rule).budgets;
    ASSERT_EQ(std::accumulate(budgets.begin(), budgets.end(), 0), heads * mean) << "seed " << seed;
    for (int budget : budgets) ASSERT_LE(budget, slots) << "seed " << seed;
  }
}

TEST(AdaKvTest, TheFloorIsAtLeastOneUnlessAlphaIsZero) {
  EXPECT_EQ(SafeguardCount(3, .2), 1);
  EXPECT_EQ(SafeguardCount(20, .2), 4);
  EXPECT_EQ(SafeguardCount(3, 0), 0);
}

TEST(AdaKvTest, TheSafeguardCountsTheWindowFirst) {
  // A floor of 3 of which the window takes 2: head 0 is sure of one of its own.
  const Rows scores = {{.1, .2, .3, .4}, {5, 6, 7, 8}};
  const Outcome outcome = AdaKvSafeguard(scores, 4, 2, .75);
  EXPECT_THAT(outcome.kept[0], ElementsAre(ElementsAre(3, 4, 5), ElementsAre(1, 2, 3, 4, 5)));
}

TEST(AdaKvTest, TheSafeguardMeetsTheSum) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const int slots = 10 + RandomBelow(random, 50);
    const int kept = 4 + RandomBelow(random, slots);
    const Outcome outcome = AdaKvSafeguard(RandomScores(random, 1, 3, slots)[0], kept, 4,
                                           RandomBelow(random, 10) / 10.0);
    int sum = 0;
    for (const Indices& head : outcome.kept[0]) sum += Size(head);
    ASSERT_EQ(sum, 3 * kept) << "seed " << seed;
  }
}

}  // namespace
}  // namespace sluice::oracle
