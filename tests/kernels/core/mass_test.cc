// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/mass.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(MassTest, DecayToThePowerOfZeroIsOne) {
  EXPECT_EQ(DecayPower(0.0f, 0), 1.0f);
  EXPECT_EQ(DecayPower(0.5f, 0), 1.0f);
}

TEST(MassTest, DecayPowers) {
  EXPECT_EQ(DecayPower(0.5f, 5), 1.0f / 32);
  EXPECT_EQ(DecayPower(1.0f, 1000), 1.0f);
  EXPECT_EQ(DecayPower(0.0f, 3), 0.0f);
}

TEST(MassTest, OnlyTheLastRowCountsWithoutDecay) {
  MassRule rule;
  rule.decay = 0.0f;
  EXPECT_EQ(MassWeight(rule, 2, 3), 1.0f);
  EXPECT_EQ(MassWeight(rule, 1, 3), 0.0f);
}

TEST(MassTest, TheMeanDividesByTheGroup) {
  MassRule rule;
  EXPECT_EQ(GroupFactor(rule, 4), 0.25f);
  rule.reduce = GroupReduce::kSum;
  EXPECT_EQ(GroupFactor(rule, 4), 1.0f);
}

TEST(MassTest, SquaredTerms) {
  MassRule rule;
  EXPECT_EQ(MassTerm(rule, 0.5f), 0.5f);
  rule.squared = true;
  EXPECT_EQ(MassTerm(rule, 0.5f), 0.25f);
}

TEST(MassTest, OnlyMaxAndMedianNeedASumForEachHead) {
  EXPECT_EQ(PendingSums(GroupReduce::kMean, 4), 1);
  EXPECT_EQ(PendingSums(GroupReduce::kSum, 4), 1);
  EXPECT_EQ(PendingSums(GroupReduce::kMax, 4), 4);
  EXPECT_EQ(PendingSums(GroupReduce::kMedian, 4), 4);
}

TEST(MassTest, PendingSumsReduceToTheirMaximumOrLowerMedian) {
  const float sums[] = {3, 0, 7, 0, 1, 0, 3, 0, 9};  // of five heads, two floats apart
  EXPECT_EQ(ReducePending(sums, 2, 5, GroupReduce::kMax), 9.0f);
  EXPECT_EQ(ReducePending(sums, 2, 5, GroupReduce::kMedian), 3.0f);
  EXPECT_EQ(ReducePending(sums, 2, 4, GroupReduce::kMedian), 3.0f);  // of 1 3 3 7
  EXPECT_EQ(ReducePending(sums, 2, 2, GroupReduce::kMedian), 3.0f);  // the lower of two
  EXPECT_EQ(ReducePending(sums, 2, 1, GroupReduce::kMean), 3.0f);
}

}  // namespace
}  // namespace sluice
