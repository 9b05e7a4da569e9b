// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A kernel that does each thing that a Block offers and writes down what came of it: to be
// the same over any Block, whatever the order of threads and blocks.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/device/block.h"

namespace sluice::cuda_testing {

// What all blocks add to.
struct PrimitiveTotals {
  int32_t signed_sum = 0;
  uint32_t sum = 0;
  uint64_t wide_sum = 0;
  uint32_t most = 0;
  uint32_t bits = 0;
  uint32_t arrivals = 0;
  uint32_t lasts = 0;       // blocks that were told to be the last
  uint64_t last_total = 0;  // what the last one saw of all item_sums together
};

struct PrimitivesKernel {
  static constexpr int32_t kThreads = 128;
  static constexpr int32_t kChunkWords = 4;
  static constexpr int32_t kAnswers = 11;
  static constexpr int32_t kSharedBytes = 2 * 16 * kThreads + 4 * kThreads + 16;

  int64_t items = 0;
  const uint32_t* values = nullptr;  // [items, kThreads, kChunkWords], 16-byte aligned
  uint32_t* answers = nullptr;       // [items, kThreads, kAnswers]
  uint64_t* item_sums = nullptr;     // [items]
  PrimitiveTotals* totals = nullptr;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t item = block.index(); item < items; item += block.count()) {
      const int64_t row = item * block.threads() + block.thread();
      const uint32_t* const chunk = values + row * kChunkWords;
      uint32_t* const answer = answers + row * kAnswers;
      AskWarp(block, chunk[0], answer);
      AskShared(block, chunk[1], answer + 6);
      AskCopies(block, item, answer + 8);
      AddToTotals(block, chunk[3]);
      SumItems(block, item, chunk[0]);
    }
  }

 private:
  static SLUICE_HD uint32_t BitsOf(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
  }

  template <class Block>
  SLUICE_HD void AskWarp(Block& block, uint32_t value, uint32_t* answer) const {
    const float real = 0.37f * static_cast<float>(value % 1000);
    answer[0] = block.Shuffle(value, (block.lane() * 7 + 3) % device::kWarpThreads);
    answer[1] = block.ShuffleXor(value, 9);
    const uint64_t wide = block.ShuffleXor(uint64_t{value} << 20 | 5, 17);
    answer[2] = static_cast<uint32_t>(wide >> 20) ^ static_cast<uint32_t>(wide % 16);
    answer[3] = BitsOf(device::WarpSum(block, real));
    answer[4] = BitsOf(device::WarpMax(block, real));
    answer[5] = block.Ballot(value % 3 == 0);
  }

  // Through shared memory: from the other end of the block, and from the next lane.
  template <class Block>
  SLUICE_HD void AskShared(Block& block, uint32_t value, uint32_t* answer) const {
    auto* const words = reinterpret_cast<uint32_t*>(block.shared() + 2 * 16 * kThreads);
    words[block.thread()] = value;
    block.Sync();
    answer[0] = words[block.threads() - 1 - block.thread()];
    block.Sync();
    words[block.thread()] = value + 1;
    block.SyncWarp();
    answer[1] = words[block.thread() ^ 1];
    block.Sync();
  }

  // A thread's chunk in two groups of copies, of which the first is waited for first, then
  // the chunk of the thread across the block; and a count that the block's threads share.
  template <class Block>
  SLUICE_HD void AskCopies(Block& block, int64_t item, uint32_t* answer) const {
    auto* const first = reinterpret_cast<uint32_t*>(block.shared());
    uint32_t* const second = first + kThreads * kChunkWords;
    auto* const count = second + kThreads * (kChunkWords + 1);
    const int32_t at = block.thread() * kChunkWords;
    const uint32_t* const from = values + item * kThreads * kChunkWords;
    const int32_t across = (kThreads - 1 - block.thread()) * kChunkWords;
    block.CopyAsync(first + at, from + at);
    block.CommitCopies();
    block.CopyAsync(second + at, from + across);
    block.CommitCopies();
    if (block.thread() == 0) *count = 0;
    block.template WaitCopies<1>();
    answer[0] = first[at + 2];
    block.template WaitCopies<0>();
    block.Sync();
    answer[1] = second[across + 3] + first[across];
    block.AtomicAdd(count, values[item * kThreads * kChunkWords + at] % 7);
    block.Sync();
    answer[2] = *count;
    block.Sync();
  }

  template <class Block>
  SLUICE_HD void AddToTotals(Block& block, uint32_t value) const {
    block.AtomicAdd(&totals->signed_sum, static_cast<int32_t>(value % 100) - 50);
    block.AtomicAdd(&totals->sum, value);
    block.AtomicAdd(&totals->wide_sum, uint64_t{value} << 8);
    block.AtomicMax(&totals->most, value);
    block.AtomicOr(&totals->bits, value & 0x00f0f0f0u);
  }

  // Every thread adds its own to the item's sum before the block arrives; every thread of
  // the last one reads all sums.
  template <class Block>
  SLUICE_HD void SumItems(Block& block, int64_t item, uint32_t value) const {
    block.AtomicAdd(&item_sums[item], uint64_t{value});
    if (!block.ArriveLast(&totals->arrivals, static_cast<uint32_t>(items))) return;
    for (int64_t i = block.thread(); i < items; i += block.threads()) {
      block.AtomicAdd(&totals->last_total, item_sums[i]);
    }
    if (block.thread() == 0) block.AtomicAdd(&totals->lasts, 1u);
  }
};

}  // namespace sluice::cuda_testing
