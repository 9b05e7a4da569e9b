// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/rope.h"

#include <cmath>

namespace sluice::oracle {

Rope MakeRope(double theta, int rotary_dim, RopePairing pairing) {
  Rope rope{{}, pairing};
  for (int j = 0; j < rotary_dim / 2; ++j) {
    rope.inverse_frequencies.push_back(std::pow(theta, -2.0 * j / rotary_dim));
  }
  return rope;
}

Row Rotate(const Row& row, int position, const Rope& rope) {
  Row turned = row;
  const int pairs = Size(rope.inverse_frequencies);
  for (int j = 0; j < pairs; ++j) {
    const bool is_half_split = rope.pairing == RopePairing::kHalfSplit;
    const int a = is_half_split ? j : 2 * j;
    const int b = is_half_split ? j + pairs : 2 * j + 1;
    const double angle = position * rope.inverse_frequencies[j];
    turned[a] = row[a] * std::cos(angle) - row[b] * std::sin(angle);
    turned[b] = row[b] * std::cos(angle) + row[a] * std::sin(angle);
  }
  return turned;
}

}  // namespace sluice::oracle
