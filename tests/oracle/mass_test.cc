// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/mass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

// One query head; columns: a ring slot, then the two tokens of the chunk.
const std::vector<Rows> kChunk = {{{.5, .5, 0}, {.2, .3, .5}}};

// core-methods.md, 3(i) F, in the scale without (1 - beta).
TEST(MassTest, MovingAverageOfTheCascadeExample) {
  const Row scores = UpdateMass({1.6}, kChunk, {.decay = 0.5});
  EXPECT_THAT(scores,
              ElementsAre(DoubleNear(.85, 1e-12), DoubleNear(.55, 1e-12), DoubleNear(.5, 1e-12)));
}

// The same with the factor 0.5 that is left out above: 0.8 becomes 0.425, 0.275, 0.25.
TEST(MassTest, HalfOfItIsTheScaleOfThePaper) {
  const Row scores = UpdateMass({0.8 / 0.5}, kChunk, {.decay = 0.5});
  EXPECT_NEAR(0.5 * scores[0], 0.425, 1e-12);
  EXPECT_NEAR(0.5 * scores[1], 0.275, 1e-12);
  EXPECT_NEAR(0.5 * scores[2], 0.25, 1e-12);
}

TEST(MassTest, TwoQueryHeadsOfTheCascadeExample) {
  const std::vector<Rows> p = {{{.2}}, {{.6}}};
  EXPECT_NEAR(UpdateMass({}, p, {.reduce = GroupReduce::kMean})[0], .4, 1e-12);
  EXPECT_NEAR(UpdateMass({}, p, {.reduce = GroupReduce::kMax})[0], .6, 1e-12);
  EXPECT_NEAR(UpdateMass({}, p, {.reduce = GroupReduce::kMedian})[0], .2, 1e-12);
  EXPECT_NEAR(UpdateMass({}, p, {.reduce = GroupReduce::kSum})[0], .8, 1e-12);
}

TEST(MassTest, DecayOneIsTheSumAndZeroTheLastRow) {
  EXPECT_THAT(UpdateMass({1, 1}, kChunk, {.decay = 1}),
              ElementsAre(DoubleNear(1.7, 1e-12), DoubleNear(1.8, 1e-12), .5));
  EXPECT_THAT(UpdateMass({1, 1}, kChunk, {.decay = 0}), ElementsAre(.2, .3, .5));
}

TEST(MassTest, SquaresAreOfEachProbability) {
  EXPECT_NEAR(UpdateMass({}, kChunk, {.squared = true})[0], .25 + .04, 1e-12);
}

TEST(MassTest, TheGroupIsReducedAfterTheSumOverRows) {
  const std::vector<Rows> p = {{{.9}, {.1}}, {{.2}, {.7}}};
  EXPECT_NEAR(UpdateMass({}, p, {.reduce = GroupReduce::kMax})[0], 1.0, 1e-12);
}

TEST(MassTest, RowByRowEqualsAtOnceForOneHead) {
  const MassRule rule{.decay = 0.7};
  const Row first = UpdateMass({0.3}, {{{.5, .5}}}, rule);
  const Row second = UpdateMass(first, {{{.2, .3, .5}}}, rule);
  const Row whole = UpdateMass({0.3}, kChunk, rule);
  for (int t = 0; t < 3; ++t) EXPECT_NEAR(second[t], whole[t], 1e-12);
}

}  // namespace
}  // namespace sluice::oracle
