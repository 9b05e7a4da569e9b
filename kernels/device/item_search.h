// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Finding what a work item belongs to, and sharing items among warps.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/device/block.h"

namespace sluice::device {

// The last of `count` records whose first item, first(record) and ascending from 0, is at
// or before `item`: of records without items the one behind them. REQUIRES: count > 0.
template <class Record, class First>
SLUICE_HD const Record& RecordOf(const Record* records, int32_t count, int64_t item,
                                 const First& first) {
  int32_t low = 0;
  int32_t high = count - 1;
  while (low < high) {
    const int32_t middle = (low + high + 1) / 2;
    if (first(records[middle]) <= item) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return records[low];
}

// Calls function(item) for the items of the thread's warp, all lanes of it together.
template <class Block, class Function>
SLUICE_HD void ForEachOfWarp(Block& block, int64_t items, const Function& function) {
  const int32_t warps = block.threads() / kWarpThreads;
  const int64_t first = block.index() * warps + block.thread() / kWarpThreads;
  for (int64_t item = first; item < items; item += block.count() * warps) function(item);
}

// How a kernel is launched whose items are a warp's.
inline LaunchShape WarpItems(int64_t items, int32_t threads = 128) {
  const int32_t warps = threads / kWarpThreads;
  return {(items + warps - 1) / warps, threads, 0};
}

}  // namespace sluice::device
