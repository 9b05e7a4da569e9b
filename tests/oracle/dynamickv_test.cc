// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/dynamickv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/oracle/random_tensors.h"
#include "tests/oracle/snapkv.h"

namespace sluice::oracle {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr DynamicKvArithmetic kReference = DynamicKvArithmetic::kReference;
constexpr DynamicKvArithmetic kExact = DynamicKvArithmetic::kExact;

int Sum(const Indices& counts) { return std::accumulate(counts.begin(), counts.end(), 0); }

// core-methods.md, 1(i). [layers][heads][slots before the window]
const LayerScores kExample = {
    {{120, 3, 5, 60, 118, 2, 1, 4}, {7, 116, 8, 9, 114, 6, 58, 10}},
    {{130, 128, 11, 126, 124, 12, 62, 13}, {122, 14, 121, 119, 117, 64, 15, 16}},
    {{150, 149, 148, 147, 146, 145, 17, 18}, {144, 143, 19, 142, 141, 140, 139, 20}},
    {{160, 21, 159, 22, 158, 23, 157, 24}, {25, 156, 26, 155, 27, 154, 28, 153}}};

DynamicKvRule ExampleRule(DynamicKvArithmetic arithmetic) {
  return {.window = 2, .capacity = 6, .r_max = 2, .update_every = 2, .arithmetic = arithmetic};
}

class DynamicKvExampleTest : public testing::TestWithParam<DynamicKvArithmetic> {
 protected:
  const DynamicKvOutcome result_ = DynamicKv(kExample, ExampleRule(GetParam()));
};

TEST_P(DynamicKvExampleTest, FirstUpdate) {
  const DynamicKvUpdate& update = result_.updates[0];
  EXPECT_EQ(update.layers, 2);
  EXPECT_THAT(update.raw, ElementsAre(6, 10));
  EXPECT_THAT(update.budgets, ElementsAre(6, 10));
  EXPECT_THAT(update.lengths, ElementsAre(6, 8));
}

TEST_P(DynamicKvExampleTest, KeptAfterTheFirstUpdate) {
  const Indices& lengths = result_.updates[0].lengths;
  EXPECT_THAT(KeepPrefixAndWindow(kExample[0][0], lengths[0], 0).kept,
              ElementsAre(0, 1, 2, 3, 4, 7));
  EXPECT_THAT(KeepPrefixAndWindow(kExample[0][1], lengths[0], 0).kept,
              ElementsAre(1, 2, 3, 4, 6, 7));
  EXPECT_EQ(KeepPrefixAndWindow(kExample[1][0], lengths[1], 0).kept, Range(8));
  EXPECT_EQ(KeepPrefixAndWindow(kExample[1][1], lengths[1], 0).kept, Range(8));
}

TEST_P(DynamicKvExampleTest, LastUpdate) {
  ASSERT_EQ(result_.updates.size(), 2u);
  const DynamicKvUpdate& update = result_.updates[1];
  EXPECT_EQ(update.layers, 4);
  EXPECT_THAT(update.raw, ElementsAre(4, 8, 12, 8));
  EXPECT_THAT(update.budgets, ElementsAre(2, 4, 6, 4));
  EXPECT_THAT(update.lengths, ElementsAre(2, 4, 6, 4));
}

TEST_P(DynamicKvExampleTest, KeptSets) {
  EXPECT_THAT(
      result_.outcome.kept,
      ElementsAre(
          ElementsAre(ElementsAre(0, 4, 8, 9), ElementsAre(1, 4, 8, 9)),
          ElementsAre(ElementsAre(0, 1, 3, 4, 8, 9), ElementsAre(0, 2, 3, 4, 8, 9)),
          ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5, 8, 9), ElementsAre(0, 1, 3, 4, 5, 6, 8, 9)),
          ElementsAre(ElementsAre(0, 2, 4, 6, 8, 9), ElementsAre(1, 3, 5, 7, 8, 9))));
}

TEST_P(DynamicKvExampleTest, StorageOrder) {
  EXPECT_THAT(result_.stored[0][0], ElementsAre(0, 4, 8, 9));
}

INSTANTIATE_TEST_SUITE_P(BothArithmetics, DynamicKvExampleTest,
                         testing::Values(kReference, kExact));

TEST(DynamicKvTest, ExampleOfAShortPrompt) {
  const LayerScores scores(4, Rows(2, {1, 2, 3, 4}));  // 6 slots, cap 6
  const DynamicKvOutcome result = DynamicKv(scores, ExampleRule(kExact));
  EXPECT_THAT(result.updates, IsEmpty());
  EXPECT_THAT(result.outcome.kept, Each(Each(Range(6))));
}

TEST(DynamicKvTest, TheLastUpdateIsAlwaysAtTheLastLayer) {
  std::mt19937_64 random(14);
  const DynamicKvRule rule{.window = 2, .capacity = 6, .update_every = 4};
  const DynamicKvOutcome result = DynamicKv(RandomScores(random, 6, 2, 30), rule);
  ASSERT_EQ(result.updates.size(), 2u);
  EXPECT_EQ(result.updates[0].layers, 4);
  EXPECT_EQ(result.updates[1].layers, 6);
}

TEST(DynamicKvTest, AnEarlyTrimIsNotTakenBack) {
  const DynamicKvRule rule{.window = 0, .capacity = 2, .r_max = 2, .update_every = 1};
  // Alone, layer 0 gets all of the budget of 2 * 2 slots, of which it has gathered 4;
  // beside layer 1 it gets none.
  const LayerScores scores = {{{4, 3, 2, 1, 0.5}}, {{9, 8, 7, 6, 5}}};
  const DynamicKvOutcome result = DynamicKv(scores, rule);
  EXPECT_THAT(result.updates[0].lengths, ElementsAre(4));
  EXPECT_THAT(result.updates[1].budgets, ElementsAre(0, 4));
  EXPECT_THAT(result.updates[1].lengths, ElementsAre(0, 4));
}

TEST(DynamicKvTest, AProvisionalBudgetIsTheCeiling) {
  const DynamicKvRule rule{.window = 0, .capacity = 2, .r_max = 1.5, .update_every = 2};
  const LayerScores scores = {{{1, 2, 3, 4, 5, 6}}, {{11, 12, 13, 14, 15, 16}}};
  const DynamicKvOutcome result = DynamicKv(scores, rule);
  EXPECT_THAT(result.updates[0].budgets, ElementsAre(0, 4));
  EXPECT_THAT(result.updates[0].lengths, ElementsAre(0, 3));
}

// core-methods.md, 1(h) 2: base 4 and r_max 5 at 32 layers leave every u_j at 0.
TEST(DynamicKvTest, TheReferenceFallsBackWhereItWouldDivideByZero) {
  const DynamicKvRule reference{.window = 0, .capacity = 4, .r_max = 5, .arithmetic = kReference};
  DynamicKvRule exact = reference;
  exact.arithmetic = kExact;
  const Indices raw(32, 32);
  const Indices prefix(32, 100);
  EXPECT_EQ(DynamicKvBudgets(raw, 32, 8, prefix, reference),
            DynamicKvBudgets(raw, 32, 8, prefix, exact));
  EXPECT_THAT(DynamicKvBudgets(raw, 32, 8, prefix, reference), Each(4));
}

TEST(DynamicKvTest, FloorDivisionIsPythons) {
  EXPECT_EQ(FloorDivide(3, 0.5), 6);
  EXPECT_EQ(FloorDivide(1, 0.1), 9);  // 0.1 is a little more than a tenth
  EXPECT_EQ(FloorDivide(0, 0.3), 0);
  EXPECT_EQ(FloorDivide(7, 2), 3);
}

TEST(DynamicKvTest, BudgetsSumToTheModelsAndTheArithmeticsAreClose) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    const int layers = 1 + RandomBelow(random, 12);
    const DynamicKvRule rule{.window = 4, .capacity = 12, .arithmetic = kExact};
    const LayerScores scores = RandomScores(random, layers, 2, 40 + RandomBelow(random, 40));
    for (DynamicKvArithmetic arithmetic : {kExact, kReference}) {
      DynamicKvRule asked = rule;
      asked.arithmetic = arithmetic;
      const DynamicKvUpdate last = DynamicKv(scores, asked).updates.back();
      ASSERT_EQ(Sum(last.raw), rule.base() * 2 * layers) << "seed " << seed;
      ASSERT_EQ(Sum(last.budgets), rule.base() * layers) << "seed " << seed;
      ASSERT_LE(Sum(last.lengths), rule.base() * layers) << "seed " << seed;
    }
  }
}

TEST(DynamicKvTest, HeadsOfALayerAreEquallyLong) {
  std::mt19937_64 random(15);
  const DynamicKvRule rule{.window = 4, .capacity = 12};
  const DynamicKvOutcome result = DynamicKv(RandomScores(random, 8, 3, 50), rule);
  for (int layer = 0; layer < 8; ++layer) {
    const int length = result.updates.back().lengths[layer] + 4;
    for (const Indices& kept : result.outcome.kept[layer]) EXPECT_EQ(Size(kept), length);
  }
  EXPECT_EQ(result.outcome.decisions.size(), 2u + 8 * 3);
}

}  // namespace
}  // namespace sluice::oracle
