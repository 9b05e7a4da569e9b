// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Which dims of a head rotary embedding turns together, and the turn itself.
// Stateless, thread-safe.

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

}  // namespace sluice
