// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Which dims of a head rotary embedding turns together, and the turn itself.
//
// R(p) turns pair j by p * inv_freq[j]. Keys at cache positions are stored
// un-rotated; a group of them, slot i of which stands at b + i, is attended as
//   (R(b + i) k) . (R(p) q) = (R(i) k) . (R(p - b) q),
// so that keys are turned by i alone, from a table of one group's rows, and the
// query once a group. Stateless, thread-safe.

#include <cmath>
#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/page_format.h"

namespace sluice {

// The two members of dim pair `pair` (0 <= pair < k_dim / 2). Pairs below
// rotary_dim / 2 are RoPE partners; the rest holds the unrotated dims in order.
struct DimPair {
  int32_t first = 0;
  int32_t second = 0;
};

SLUICE_HD constexpr DimPair PairDims(RopePairing pairing, int32_t rotary_dim, int32_t pair) {
  if (pairing == RopePairing::kHalfSplit && pair < rotary_dim / 2) {
    return DimPair{pair, pair + rotary_dim / 2};
  }
  return DimPair{2 * pair, 2 * pair + 1};
}

// Turns (x, y) by the angle whose cosine and sine are given, in fp32:
// (x cos - y sin, y cos + x sin).
SLUICE_HD inline void RotatePair(float cosine, float sine, float* x, float* y) {
  const float turned_x = *x * cosine - *y * sine;
  const float turned_y = *y * cosine + *x * sine;
  *x = turned_x;
  *y = turned_y;
}

// The cosine and sine of an angle.
struct Turn {
  float cosine = 1.0f;
  float sine = 0.0f;
};

// Of a difference of cache positions: exact but for the rounding of the results.
inline Turn CacheTurn(float inv_freq, int64_t distance) {
  const double angle = static_cast<double>(distance) * double{inv_freq};
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

// Of the true position at which an engine rotated: its angle is the fp32 product,
// as engines compute it.
inline Turn TrueTurn(float inv_freq, int64_t position) {
  const double angle = double{static_cast<float>(position) * inv_freq};
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

// Turns the rotary dims of a vector in plain order back, in fp32: the inverse of
// R(position) * attention_factor. `turns`: [rotary_dim / 2], TrueTurn of each pair.
inline void TurnBack(RopePairing pairing, int32_t rotary_dim, const Turn* turns,
                     float attention_factor, float* values) {
  const float factor = 1.0f / attention_factor;
  for (int32_t pair = 0; pair < rotary_dim / 2; ++pair) {
    const DimPair dims = PairDims(pairing, rotary_dim, pair);
    float x = values[dims.first];
    float y = values[dims.second];
    RotatePair(turns[pair].cosine, -turns[pair].sine, &x, &y);
    values[dims.first] = x * factor;
    values[dims.second] = y * factor;
  }
}

}  // namespace sluice
