// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Keys and queries at cache positions (core/rope.h): keys of a tile are turned by their
// number in it, from a table of 64 rows, and query rows by their distance from its first.

#include <math.h>

#include <cstdint>

#include "kernels/core/rope.h"
#include "kernels/core/split.h"
#include "kernels/device/block.h"
#include "kernels/device/key_tiles.h"
#include "kernels/ops.h"

namespace sluice::device {

// Cosine and sine of an angle below 1e9, each within 1e-7: exact reduction to an eighth of
// a turn, then Taylor's series. The device's own functions keep arrays in local memory.
SLUICE_HD inline Turn TurnBy(double angle) {
  constexpr double kQuarters = 0.63661977236758134308;  // 2 / pi
  constexpr double kHigh = 1.57079632679489655800;      // pi / 2 in two parts
  constexpr double kLow = 6.12323399573676603587e-17;
  const double quarters = floor(angle * kQuarters + 0.5);
  const auto x = static_cast<float>((angle - quarters * kHigh) - quarters * kLow);
  const float square = x * x;
  float sine = 1.0f / 362880.0f;
  sine = sine * square - 1.0f / 5040.0f;
  sine = sine * square + 1.0f / 120.0f;
  sine = sine * square - 1.0f / 6.0f;
  sine = sine * square * x + x;
  float cosine = -1.0f / 3628800.0f;
  cosine = cosine * square + 1.0f / 40320.0f;
  cosine = cosine * square - 1.0f / 720.0f;
  cosine = cosine * square + 1.0f / 24.0f;
  cosine = cosine * square - 0.5f;
  cosine = cosine * square + 1.0f;
  switch (static_cast<int64_t>(quarters) & 3) {
    case 0: return {cosine, sine};
    case 1: return {-sine, cosine};
    case 2: return {-cosine, -sine};
    default: return {sine, -cosine};
  }
}

// Fills a table of turns by 0 .. 63: [64, rotary_dim / 2].
struct KeyTurnsKernel {
  RopeTable rope;
  Turn* turns = nullptr;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t pairs = rope.rotary_dim / 2;
    for (int64_t slot = block.index(); slot < kTileSlots; slot += block.count()) {
      ForEachOfBlock(block, pairs, [&](int64_t pair) {
        turns[slot * pairs + pair] =
            TurnBy(static_cast<double>(slot) * double{rope.inv_freq[pair]});
      });
    }
  }
};

// Turns the keys of a tile by their numbers in it, and calls store(slot, dim, value) for
// their elements in fp32; for those that do not turn only if `all`. The whole block;
// `turns`: KeyTurnsKernel's.
template <Dtype kDtype, class Block, class Store>
SLUICE_HD void TurnKeys(Block& block, const RopeTable& rope, const Turn* turns, int32_t k_dim,
                        const std::byte* keys, bool all, const Store& store) {
  const SwizzledTile from = MakeSwizzledTile(kTileSlots, k_dim, kDtype);
  const int32_t pairs = k_dim / 2;
  const int32_t turning = rope.rotary_dim / 2;
  for (int32_t i = block.thread(); i < kTileSlots * pairs; i += block.threads()) {
    const int32_t slot = i / pairs;
    const int32_t pair = i % pairs;
    if (!all && pair >= turning) continue;
    const DimPair dims = PairDims(rope.pairing, rope.rotary_dim, pair);
    float x = LoadAsFloat(keys, kDtype, SwizzledOffset(from, slot, dims.first));
    float y = LoadAsFloat(keys, kDtype, SwizzledOffset(from, slot, dims.second));
    if (pair < turning) {
      const Turn turn = turns[slot * turning + pair];
      RotatePair(turn.cosine, turn.sine, &x, &y);
    }
    store(slot, dims.first, x);
    store(slot, dims.second, y);
  }
}

// Turns query rows, [queries, k_dim], each pair by angle_of(row, inv_freq) and times `factor`;
// dims that do not turn stay. Calls store(row, dim, value) for all of them, which may write
// to q. The whole block.
template <class Block, class AngleOf, class Store>
SLUICE_HD void TurnQueries(Block& block, const RopeTable& rope, int32_t queries, int32_t k_dim,
                           float factor, const AngleOf& angle_of, const float* q,
                           const Store& store) {
  const int32_t pairs = k_dim / 2;
  for (int32_t i = block.thread(); i < queries * pairs; i += block.threads()) {
    const int32_t row = i / pairs;
    const int32_t pair = i % pairs;
    const DimPair dims = PairDims(rope.pairing, rope.rotary_dim, pair);
    float x = q[row * k_dim + dims.first];
    float y = q[row * k_dim + dims.second];
    if (pair < rope.rotary_dim / 2) {
      const Turn turn = TurnBy(angle_of(row, rope.inv_freq[pair]));
      RotatePair(turn.cosine * factor, turn.sine * factor, &x, &y);
    }
    store(row, dims.first, x);
    store(row, dims.second, y);
  }
}

}  // namespace sluice::device
