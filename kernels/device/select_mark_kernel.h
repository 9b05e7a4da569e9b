// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernel of Select (select_work.h) that writes masks.

#include "kernels/core/kept.h"
#include "kernels/device/block.h"
#include "kernels/device/block_math.h"
#include "kernels/device/select_work.h"

namespace sluice::device {

// A block marks what a row keeps: it finds the row's threshold where that is not known
// yet, then goes along the row, so that ties go to the lowest slots.
struct SelectMarkKernel {
  static constexpr int32_t kThreads = 256;
  static constexpr int32_t kDigitBits = 11;
  static constexpr int32_t kBins = 1 << kDigitBits;

  SelectWork work;

  static constexpr int32_t SharedBytes() { return static_cast<int32_t>(sizeof(Shared)); }

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t i = block.index(); i < work.ranked_rows; i += block.count()) {
      Mark(block, i, PlanOf(block, i));
    }
  }

 private:
  struct Shared {
    int64_t totals[2][kThreads / kWarpThreads];
    int64_t above;
    uint32_t digit;
    uint32_t bins[kBins];
  };

  // Which slots stay: those above the threshold, the lowest at it, and all that do not
  // compete and are protected.
  struct Plan {
    Competing competing;
    Competing always;
    Threshold threshold;
  };

  template <class Block>
  SLUICE_HD static Shared& SharedOf(Block& block) {
    return *reinterpret_cast<Shared*>(block.shared());
  }

  template <class Block>
  SLUICE_HD Plan PlanOf(Block& block, int64_t index) const {
    const RankedRow& row = work.ranked[index];
    const int64_t protected_slots = row.slots.protected_slots();
    const bool among_protected = row.kept < protected_slots;
    Plan plan;
    plan.competing = CompetingOf(row.slots, among_protected);
    if (!among_protected) plan.always = {row.slots.low, row.slots.high};
    const int64_t kept = among_protected ? row.kept : row.kept - protected_slots;
    const int64_t slots = among_protected ? protected_slots : row.slots.ranked.size();
    if (kept == 0) {
      plan.threshold = {0xffffffffu, 0};  // above all keys
    } else if (kept == slots) {
      plan.threshold = {0u, slots};
    } else if (work.args.scores == nullptr) {
      plan.threshold = {OrderedKey(0.0f), kept};
    } else if (row.has_threshold != 0) {
      plan.threshold = {row.threshold, row.kept - row.above};
    } else {
      plan.threshold = FindThreshold(block, work.KeysOf(index), plan.competing, kept);
    }
    return plan;
  }

  // The threshold of the k largest keys. REQUIRES: 1 <= k <= the slots that compete.
  template <class Block>
  SLUICE_HD Threshold FindThreshold(Block& block, const RowKeys& keys, const Competing& competing,
                                    int64_t k) const {
    Shared& shared = SharedOf(block);
    uint32_t prefix = 0;
    for (int32_t shift = 21; shift >= 0; shift = shift == 21 ? 10 : shift - 10) {
      const SelectDigit digit{shift, shift == 0 ? 10 : kDigitBits};
      ForEachOfBlock(block, digit.bins(), [&](int64_t i) { shared.bins[i] = 0; });
      block.Sync();
      CountDigits(block, keys, competing.first, digit, prefix, shared.bins);
      CountDigits(block, keys, competing.second, digit, prefix, shared.bins);
      block.Sync();
      if (block.thread() < kWarpThreads) FindDigitOfWarp(block, digit.bins(), k);
      block.Sync();
      prefix = prefix << digit.bits | shared.digit;
      k -= shared.above;
      block.Sync();
    }
    return {prefix, k};
  }

  // FindDigit (select.h) by a warp: each lane has a run of bins, lane 0 the highest.
  template <class Block>
  SLUICE_HD void FindDigitOfWarp(Block& block, int32_t bins, int64_t k) const {
    Shared& shared = SharedOf(block);
    const int32_t run = bins / kWarpThreads;
    const int32_t first = bins - (block.lane() + 1) * run;
    int64_t sum = 0;
    for (int32_t i = 0; i < run; ++i) sum += shared.bins[first + i];
    const int64_t above = PrefixOfWarp(block, sum) - sum;
    if (above >= k || above + sum < k) return;
    const DigitPlace place = FindDigit(shared.bins + first, run, k - above);
    shared.digit = static_cast<uint32_t>(first + place.digit);
    shared.above = above + place.above;
  }

  // Each warp of the block looks at 32 words of the mask at a time.
  template <class Block>
  SLUICE_HD void Mark(Block& block, int64_t index, const Plan& plan) const {
    const RowKeys keys = work.KeysOf(index);
    const int64_t slots = work.ranked[index].slots.high.end;
    const int64_t words = RoundUp(slots, 32) / 32;
    int64_t ties = plan.threshold.ties;
    int32_t turn = 0;
    for (int64_t first = 0; first < words; first += block.threads(), turn ^= 1) {
      const int64_t word = first + block.thread();
      uint32_t above = 0;
      uint32_t equal = 0;
      Compare(block, keys, plan, word - block.lane(), slots, &above, &equal);
      const int64_t count = CountBits(equal);
      const int64_t upto = PrefixOfWarp(block, count);
      const WarpTotals totals = SumWarps(block, block.Shuffle(upto, kWarpThreads - 1),
                                         SharedOf(block).totals[turn]);
      const int64_t left = ties - totals.before - (upto - count);
      if (left < count) equal = LowestBits(equal, left);
      ties -= totals.all;
      if (word < words) Write(index, word, above | equal | plan.always.Bits(word));
    }
    block.Sync();
  }

  // Gives lane i which slots of word `first` + i are above the threshold and at it.
  template <class Block>
  SLUICE_HD void Compare(Block& block, const RowKeys& keys, const Plan& plan, int64_t first,
                         int64_t slots, uint32_t* above, uint32_t* equal) const {
    constexpr int32_t kAtOnce = 4;  // loads that do not wait for each other
    for (int32_t i = 0; i < kWarpThreads && (first + i) * 32 < slots; i += kAtOnce) {
      const int64_t slot = (first + i) * 32 + block.lane();
      bool competes[kAtOnce];
      uint32_t loaded[kAtOnce];
      SLUICE_UNROLL
      for (int32_t j = 0; j < kAtOnce; ++j) {
        competes[j] = plan.competing.Has(slot + 32 * j);
        loaded[j] = competes[j] ? keys.At(slot + 32 * j) : 0u;
      }
      SLUICE_UNROLL
      for (int32_t j = 0; j < kAtOnce; ++j) {
        const uint32_t word_above = block.Ballot(competes[j] && loaded[j] > plan.threshold.key);
        const uint32_t word_equal = block.Ballot(competes[j] && loaded[j] == plan.threshold.key);
        if (block.lane() != i + j) continue;
        *above = word_above;
        *equal = word_equal;
      }
    }
  }

  SLUICE_HD void Write(int64_t index, int64_t word, uint32_t bits) const {
    const int32_t row = work.places[index].row;
    const int32_t rows = work.combined() ? work.SegmentOf(index).row_count : 1;
    for (int32_t r = row; r < row + rows; ++r) {
      work.args.masks[work.args.rows.row_offsets[r] / 32 + word] = bits;
    }
  }
};

}  // namespace sluice::device
