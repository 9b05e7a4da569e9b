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

}  // namespace
}  // namespace sluice
