// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/oracle/random_tensors.h"
#include "tests/oracle/rope.h"

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const HeadKeys kKeys{{0, 1, 2}, {{0}, {std::log(2)}, {std::log(5)}}, {}};

TEST(AttentionTest, IsTheSoftmaxOverWhatTheRowSees) {
  EXPECT_THAT(
      AttentionRows({{2}, {{1}}}, kKeys)[0],
      ElementsAre(DoubleNear(.125, 1e-12), DoubleNear(.25, 1e-12), DoubleNear(.625, 1e-12)));
  EXPECT_THAT(AttentionRows({{1}, {{1}}}, kKeys)[0],
              ElementsAre(DoubleNear(1.0 / 3, 1e-12), DoubleNear(2.0 / 3, 1e-12), 0));
}

TEST(AttentionTest, AWindowHidesWhatIsBehindIt) {
  EXPECT_THAT(AttentionRows({{2}, {{1}}}, kKeys, {.window = 2})[0],
              ElementsAre(0, DoubleNear(2.0 / 7, 1e-12), DoubleNear(5.0 / 7, 1e-12)));
}

TEST(AttentionTest, TheScaleIsOneOverTheRootOfTheDim) {
  const HeadKeys keys{{0, 1}, {{0, 0, 0, 0}, {1, 1, 1, 1}}, {}};
  const double p = AttentionRows({{1}, {{1, 1, 1, 1}}}, keys)[0][1];
  EXPECT_NEAR(p, 1 / (1 + std::exp(-2)), 1e-12);
}

TEST(AttentionTest, MassAddsToTheLogitAndASinkTakesItsShare) {
  HeadKeys keys = kKeys;
  keys.log_mass = {std::log(3), 0, 0};
  EXPECT_NEAR(AttentionRows({{2}, {{1}}}, keys)[0][0], 0.3, 1e-12);
  const AttentionOptions sink{.has_sink_logit = true, .sink_logit = std::log(2)};
  EXPECT_NEAR(AttentionRows({{2}, {{1}}}, kKeys, sink)[0][2], 0.5, 1e-12);
}

TEST(AttentionTest, TheCapBendsTheLogits) {
  const double p = AttentionRows({{1}, {{1}}}, {{0, 1}, {{0}, {8}}, {}}, {.soft_cap = 2})[0][1];
  EXPECT_NEAR(p, 1 / (1 + std::exp(-2 * std::tanh(4))), 1e-12);
}

TEST(AttentionTest, WhatIsNotFiniteHasNoWeight) {
  const HeadKeys keys{{0, 1}, {{kInfinity}, {1}}, {}};
  EXPECT_THAT(AttentionRows({{1}, {{1}}}, keys)[0], ElementsAre(0, 1));
  EXPECT_THAT(AttentionRows({{2}, {{std::nan("")}}}, kKeys)[0], ElementsAre(0, 0, 0));
}

TEST(AttentionTest, ARowThatSeesNothingGivesZeros) {
  EXPECT_THAT(AttentionRows({{0}, {{1}}}, {{3, 4}, {{1}, {1}}, {}})[0], ElementsAre(0, 0));
}

TEST(AttentionTest, AGroupReadsItsKvHead) {
  std::mt19937_64 random(1);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 6, .q_heads = 4, .kv_heads = 2});
  const std::vector<Rows> p = GroupAttention(tensors, 1, 4, 6, {0, 2, 4, 5});
  ASSERT_EQ(p.size(), 2u);
  EXPECT_EQ(p[1], AttentionRows(tensors.Queries(3, 4, 6), tensors.Keys(1, {0, 2, 4, 5})));
  EXPECT_EQ(p[1][0][3], 0);  // the row of token 4 does not see token 5
  EXPECT_NEAR(std::accumulate(p[0][1].begin(), p[0][1].end(), 0.0), 1, 1e-12);
}

TEST(AttentionTest, ExpandedGroupsReadTheSameKeys) {
  std::mt19937_64 random(1);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 6, .q_heads = 4, .kv_heads = 2});
  const LayerTensors expanded = WithGroupsExpanded(tensors);
  EXPECT_EQ(expanded.group(), 1);
  const std::vector<Rows> p = GroupAttention(tensors, 1, 0, 6, Range(6));
  EXPECT_EQ(GroupAttention(expanded, 2, 0, 6, Range(6))[0], p[0]);
  EXPECT_EQ(GroupAttention(expanded, 3, 0, 6, Range(6))[0], p[1]);
}

TEST(RopeTest, PairsTurnByTheirFrequency) {
  const Rope half = MakeRope(100, 4, RopePairing::kHalfSplit);
  EXPECT_THAT(half.inverse_frequencies, ElementsAre(1, DoubleNear(0.1, 1e-12)));
  EXPECT_THAT(Rotate({1, 0, 0, 1, 7}, 3, half),
              ElementsAre(DoubleNear(std::cos(3), 1e-12), DoubleNear(-std::sin(.3), 1e-12),
                          DoubleNear(std::sin(3), 1e-12), DoubleNear(std::cos(.3), 1e-12), 7));
  const Rope pairs = MakeRope(100, 4, RopePairing::kInterleaved);
  EXPECT_THAT(Rotate({1, 0, 0, 1}, 3, pairs),
              ElementsAre(DoubleNear(std::cos(3), 1e-12), DoubleNear(std::sin(3), 1e-12),
                          DoubleNear(-std::sin(.3), 1e-12), DoubleNear(std::cos(.3), 1e-12)));
}

TEST(RopeTest, TurningBackUndoesIt) {
  std::mt19937_64 random(2);
  const Rope rope = MakeRope(10000, 12, RopePairing::kHalfSplit);
  const Row row = RandomRow(random, 16);
  const Row back = Rotate(Rotate(row, 41, rope), -41, rope);
  for (int c = 0; c < 16; ++c) EXPECT_NEAR(back[c], row[c], 1e-12);
}

}  // namespace
}  // namespace sluice::oracle
