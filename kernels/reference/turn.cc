// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/turn.h"

#include <cmath>

#include "kernels/core/rope.h"

namespace sluice::reference {
namespace {

// Turns a pair by an angle and multiplies it.
void TurnPair(const RopeTable& rope, int32_t pair, double angle, double factor, Numbers* values) {
  const DimPair dims = PairDims(rope.pairing, rope.rotary_dim, pair);
  const double x = (*values)[dims.first];
  const double y = (*values)[dims.second];
  (*values)[dims.first] = factor * (x * std::cos(angle) - y * std::sin(angle));
  (*values)[dims.second] = factor * (y * std::cos(angle) + x * std::sin(angle));
}

int32_t RotaryPairs(const RopeTable& rope) {
  return rope.inv_freq == nullptr ? 0 : rope.rotary_dim / 2;
}

}  // namespace

Numbers Plain(const Vector& values) { return Numbers(values.begin(), values.end()); }

Numbers TurnedKey(const RopeTable& rope, const Vector& k, int64_t position) {
  Numbers turned = Plain(k);
  for (int32_t pair = 0; pair < RotaryPairs(rope); ++pair) {
    const double angle = static_cast<double>(position) * double{rope.inv_freq[pair]};
    TurnPair(rope, pair, angle, double{rope.attention_factor}, &turned);
  }
  return turned;
}

Numbers TurnedQuery(const RopeTable& rope, const Vector& q, int64_t true_position,
                    int64_t position) {
  if (!rope.arrives_rotated) return TurnedKey(rope, q, position);
  Numbers turned = Plain(q);
  for (int32_t pair = 0; pair < RotaryPairs(rope); ++pair) {
    const float arrived = static_cast<float>(true_position) * rope.inv_freq[pair];
    const double wanted = static_cast<double>(position) * double{rope.inv_freq[pair]};
    TurnPair(rope, pair, wanted - double{arrived}, 1.0, &turned);
  }
  return turned;
}

Vector KeyToStore(const PageFormat& format, const RopeTable& rope, Vector k,
                  int64_t true_position) {
  if (format.key_space != KeySpace::kCachePosition || !rope.arrives_rotated) return k;
  std::vector<Turn> turns;
  for (int32_t pair = 0; pair < RotaryPairs(rope); ++pair) {
    turns.push_back(TrueTurn(rope.inv_freq[pair], true_position));
  }
  const auto rotary_dim = static_cast<int32_t>(2 * turns.size());
  TurnBack(rope.pairing, rotary_dim, turns.data(), rope.attention_factor, k.data());
  return k;
}

}  // namespace sluice::reference
