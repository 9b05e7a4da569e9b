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

// Pairs (2j, 2j + 1) of a vector turned to `position` with a factor.
std::vector<float> Turned(std::vector<float> values, const std::vector<float>& inv_freq,
                          int64_t position, float factor) {
  for (size_t pair = 0; pair < inv_freq.size(); ++pair) {
    const Turn turn = TrueTurn(inv_freq[pair], position);
    RotatePair(turn.cosine, turn.sine, &values[2 * pair], &values[2 * pair + 1]);
    values[2 * pair] *= factor;
    values[2 * pair + 1] *= factor;
  }
  return values;
}

TEST(TurnBackTest, UndoesTheRotationAndItsFactor) {
  const std::vector<float> inv_freq = {1.0f, 0.1f, 0.01f};
  const std::vector<float> key = {1, 2, -3, 4, 5, -6, 7, 8};
  for (const int64_t position : {0, 1, 777, 1'000'003}) {
    std::vector<float> values = Turned(key, inv_freq, position, 1.25f);
    std::vector<Turn> turns;
    for (const float frequency : inv_freq) turns.push_back(TrueTurn(frequency, position));
    TurnBack(RopePairing::kInterleaved, 6, turns.data(), 1.25f, values.data());
    for (size_t i = 0; i < key.size(); ++i) EXPECT_NEAR(values[i], key[i], 2e-6f) << position;
    EXPECT_EQ(values[6], key[6]);
    EXPECT_EQ(values[7], key[7]);
  }
}

TEST(TurnTest, OfATruePositionIsThatOfTheFp32Product) {
  const float inv_freq = 0.3f;
  const int64_t position = 1'234'567;
  const float angle = static_cast<float>(position) * inv_freq;
  EXPECT_EQ(TrueTurn(inv_freq, position).cosine, static_cast<float>(std::cos(double{angle})));
  EXPECT_NE(TrueTurn(inv_freq, position).cosine, CacheTurn(inv_freq, position).cosine);
}

// (R(b + i) k) . (R(p) q) = (R(i) k) . (R(p - b) q)
TEST(TurnTest, AKeyTurnsByItsPlaceInATileAndTheQueryByTheRest) {
  const float inv_freq = 0.7f;
  for (const int64_t base : {0, 64, 6400}) {
    for (const int64_t place : {0, 5, 63}) {
      const int64_t query = base + 70;
      double logits[2] = {};
      for (const bool split : {false, true}) {
        const Turn key = CacheTurn(inv_freq, split ? place : base + place);
        const Turn q = CacheTurn(inv_freq, split ? query - base : query);
        float k0 = 0.5f, k1 = -2.0f, q0 = 1.5f, q1 = 3.0f;
        RotatePair(key.cosine, key.sine, &k0, &k1);
        RotatePair(q.cosine, q.sine, &q0, &q1);
        logits[split] = double{k0} * q0 + double{k1} * q1;
      }
      EXPECT_NEAR(logits[0], logits[1], 1e-5) << base << " " << place;
    }
  }
}

}  // namespace
}  // namespace sluice
