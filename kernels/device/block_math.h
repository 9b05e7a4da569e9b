// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums of integers and doubles over warps and blocks. Each is added in one order whatever
// the device.

#include <cstdint>

#include "kernels/device/block.h"

namespace sluice::device {

// The lanes' sum in every lane.
template <class Value, class Block>
SLUICE_HD Value SumOfWarp(Block& block, Value value) {
  for (int32_t mask = kWarpThreads / 2; mask > 0; mask /= 2) {
    value += block.ShuffleXor(value, mask);
  }
  return value;
}

// The sum over the warp's lanes up to this one, itself included.
template <class Value, class Block>
SLUICE_HD Value PrefixOfWarp(Block& block, Value value) {
  for (int32_t distance = 1; distance < kWarpThreads; distance *= 2) {
    const int32_t lane = block.lane();
    const Value before = block.Shuffle(value, lane >= distance ? lane - distance : lane);
    if (lane >= distance) value += before;
  }
  return value;
}

// What the warps before this one and all of them have brought.
struct WarpTotals {
  int64_t before = 0;
  int64_t all = 0;
};

// Called by the whole block, each warp with a number of its own. `room`: int64_t[warps] of
// shared memory, the call's alone until the block's next Sync.
template <class Block>
SLUICE_HD WarpTotals SumWarps(Block& block, int64_t of_warp, int64_t* room) {
  const int32_t warp = block.thread() / kWarpThreads;
  if (block.lane() == 0) room[warp] = of_warp;
  block.Sync();
  WarpTotals totals;
  for (int32_t w = 0; w < block.threads() / kWarpThreads; ++w) {
    if (w < warp) totals.before += room[w];
    totals.all += room[w];
  }
  return totals;
}

}  // namespace sluice::device
