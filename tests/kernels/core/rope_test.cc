// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace sluice {
namespace {

TEST(RopePairTest, HalfSplitPairsADimWithTheOneHalfTheRotaryDimOn) {
  const DimPair pair = PairDims(RopePairing::kHalfSplit, 64, 5);
  EXPECT_EQ(pair.first, 5);
  EXPECT_EQ(pair.second, 37);
}

TEST(RopePairTest, TheUnrotatedDimsFollowInOrder) {
  const DimPair pair = PairDims(RopePairing::kHalfSplit, 64, 32);
  EXPECT_EQ(pair.first, 64);
  EXPECT_EQ(pair.second, 65);
}

TEST(RopePairTest, EveryDimIsInOnePair) {
  for (const RopePairing pairing :
       {RopePairing::kNone, RopePairing::kHalfSplit, RopePairing::kInterleaved}) {
    std::vector<int> seen(96);
    for (int32_t pair = 0; pair < 48; ++pair) {
      ++seen[PairDims(pairing, 32, pair).first];
      ++seen[PairDims(pairing, 32, pair).second];
    }
    EXPECT_EQ(seen, std::vector<int>(96, 1)) << static_cast<int>(pairing);
  }
}

TEST(RotatePairTest, AQuarterTurnTakesXToYAndYToMinusX) {
  float x = 2.0f;
  float y = 3.0f;
  RotatePair(0.0f, 1.0f, &x, &y);
  EXPECT_EQ(x, -3.0f);
  EXPECT_EQ(y, 2.0f);
}

TEST(RotatePairTest, TurningBackRestoresThePair) {
  float x = 0.7f;
  float y = -1.1f;
  const float cosine = std::cos(1.3f);
  const float sine = std::sin(1.3f);
  RotatePair(cosine, sine, &x, &y);
  RotatePair(cosine, -sine, &x, &y);
  EXPECT_NEAR(x, 0.7f, 1e-6f);
  EXPECT_NEAR(y, -1.1f, 1e-6f);
}

}  // namespace
}  // namespace sluice
