// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of KeyNormScore, SumScores and MoveScores (ops.h).

#include <math.h>

#include "kernels/core/kept.h"
#include "kernels/core/mass.h"
#include "kernels/core/number.h"
#include "kernels/device/block.h"
#include "kernels/device/block_math.h"
#include "kernels/device/job_rows.h"
#include "kernels/ops.h"

namespace sluice::device {

// A block scores a tile of a row, a thread a slot.
struct KeyNormScoreKernel {
  static constexpr int64_t kTileSlots = 4096;

  PoolView pool;
  KeyNormScoreArgs args;       // of the device
  const JobRow* job_rows = nullptr;  // [row_count]
  int64_t tiles_per_row = 1;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t tiles = args.rows.row_count * tiles_per_row;
    for (int64_t tile = block.index(); tile < tiles; tile += block.count()) {
      const int64_t r = tile / tiles_per_row;
      const int64_t first = tile % tiles_per_row * kTileSlots;
      const JobRow& row = job_rows[r];
      const int64_t slots = row.slots - first < kTileSlots ? row.slots - first : kTileSlots;
      float* const scores = args.scores + args.rows.row_offsets[r] + first;
      ForEachOfBlock(block, slots, [&](int64_t i) {
        const float norm = KeyNorm(JobSlotAt(row, first + i));
        scores[i] = IsFinite(norm) ? -norm : -INFINITY;
      });
    }
  }

 private:
  SLUICE_HD float KeyNorm(const JobSlot& place) const {
    const SpanFormat& format = *place.span->format;
    const int64_t index = place.span->first_slot + place.slot;
    const uint32_t page = place.span->Page(index / format.page.page_size);
    return PageKeyNorms(pool, format.slab, page)[index % format.page.page_size];
  }
};

// A block adds up a row: its threads every so many slots, then the threads' sums.
struct SumScoresKernel {
  static constexpr int32_t kThreads = 128;

  SumScoresArgs args;  // of the device
  const JobRow* job_rows = nullptr;

  static constexpr int32_t SharedBytes() { return 2 * kThreads / kWarpThreads * 8; }

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t r = block.index(); r < args.rows.row_count; r += block.count()) {
      SumRow(block, r);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void SumRow(Block& block, int64_t r) const {
    const float* const scores = args.scores + args.rows.row_offsets[r];
    const uint32_t* const mask = args.masks + args.rows.row_offsets[r] / 32;
    double all = 0.0;
    double kept = 0.0;
    ForEachOfBlock(block, job_rows[r].slots, [&](int64_t slot) {
      const float score = scores[slot];
      if (!IsFinite(score)) return;
      all += static_cast<double>(score);
      if ((mask[slot / 32] >> (slot % 32) & 1u) != 0) kept += static_cast<double>(score);
    });
    all = SumOfWarp(block, all);
    kept = SumOfWarp(block, kept);
    auto* const sums = reinterpret_cast<double*>(block.shared());
    if (block.lane() == 0) {
      sums[2 * (block.thread() / kWarpThreads)] = all;
      sums[2 * (block.thread() / kWarpThreads) + 1] = kept;
    }
    block.Sync();
    if (block.thread() < 2) {
      double sum = 0.0;
      for (int32_t i = 0; i < kThreads / kWarpThreads; ++i) sum += sums[2 * i + block.thread()];
      args.sums[2 * r + block.thread()] = sum;
    }
    block.Sync();
  }
};

// A block gathers a row. Each of its warps counts 32 mask words, then moves their slots
// word by word.
struct MoveScoresKernel {
  static constexpr int32_t kThreads = 128;

  PoolView pool;
  MoveScoresArgs args;  // of the device
  const JobRow* job_rows = nullptr;

  static constexpr int32_t SharedBytes() { return kThreads / kWarpThreads * 8; }

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t r = block.index(); r < args.rows.row_count; r += block.count()) {
      MoveRow(block, r);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void MoveRow(Block& block, int64_t r) const {
    const JobRow& row = job_rows[r];
    const uint32_t* const mask =
        args.masks == nullptr ? nullptr : args.masks + args.rows.row_offsets[r] / 32;
    float* destination = args.destination + args.destination_offsets[r];
    const int64_t words = RoundUp(row.slots, 32) / 32;
    for (int64_t first = 0; first < words; first += block.threads()) {
      const int64_t word = first + block.thread();
      const uint32_t bits = word < words ? MaskWord(mask, word, row.slots) : 0u;
      const int32_t count = CountBits(bits);
      const int32_t upto = PrefixOfWarp(block, count);
      const WarpTotals totals = SumWarps(block, block.Shuffle(upto, kWarpThreads - 1),
                                         reinterpret_cast<int64_t*>(block.shared()));
      MoveWords(block, row, word - block.lane(), bits,
                destination + totals.before + upto - count);
      destination += totals.all;
      block.Sync();
    }
  }

  // Word `first` + i of the row keeps `bits` of lane i, which go to `destination` of lane i.
  template <class Block>
  SLUICE_HD void MoveWords(Block& block, const JobRow& row, int64_t first, uint32_t bits,
                           float* destination) const {
    const int32_t lane = block.lane();
    for (uint32_t rest = block.Ballot(bits != 0); rest != 0; rest &= rest - 1) {
      const int32_t i = LowestBitIndex(rest);
      const uint32_t kept = block.Shuffle(bits, i);
      float* const to = block.Shuffle(destination, i);
      if ((kept >> lane & 1u) == 0) continue;
      to[CountBits(kept & ((1u << lane) - 1u))] = Score(row, (first + i) * 32 + lane);
    }
  }

  SLUICE_HD float Score(const JobRow& row, int64_t slot) const {
    const JobSlot place = JobSlotAt(row, slot);
    const float* const at = ScorePlace(*place.span, place.slot);
    const float score = at == nullptr ? 0.0f : *at;
    if (args.seen_below <= 0) return score;
    const int64_t rows_from = args.seen_below - SlotPosition(pool, *place.span, place.slot);
    return score / static_cast<float>(RowsThatSaw(rows_from, args.window));
  }

  // Null: the entry keeps no scores there.
  SLUICE_HD const float* ScorePlace(const Span& span, int64_t slot) const {
    const ViewEntry& entry = *args.rows.entry;
    if (!span.contiguous) {
      const float* const scores = BodyScores(pool, entry, span.row);
      return scores == nullptr ? nullptr : scores + slot;
    }
    const int64_t index = span.first_slot + slot;
    const int64_t page_size = span.format->page.page_size;
    const float* const scores = TailScores(pool, entry, span.row, index / page_size);
    return scores == nullptr ? nullptr : scores + index % page_size;
  }
};

}  // namespace sluice::device
