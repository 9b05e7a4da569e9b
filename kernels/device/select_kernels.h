// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of Select (select_work.h) that find how many slots each row keeps.

#include "kernels/core/kept.h"
#include "kernels/device/block.h"
#include "kernels/device/block_math.h"
#include "kernels/device/select_work.h"

namespace sluice::device {

// A warp looks where the ranges of a row lie.
struct SelectLookKernel {
  static constexpr int32_t kThreads = 128;
  static constexpr int64_t kRows = kThreads / kWarpThreads;  // of an item

  SelectWork work;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t warp = block.thread() / kWarpThreads;
    for (int64_t i = block.index() * kRows + warp; i < work.ranked_rows;
         i += block.count() * kRows) {
      Look(block, i);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void Look(Block& block, int64_t index) const {
    const SelectSegment& segment = work.SegmentOf(index);
    const JobRow& row = work.job_rows[work.places[index].row];
    const int64_t first = SlotsBelow(block, row, segment.drop_below_position);
    int64_t ranked_begin = SlotsBelow(block, row, segment.protect_below_position);
    if (ranked_begin < first) ranked_begin = first;
    int64_t ranked_end = SlotsBelow(block, row, segment.protect_from_position);
    if (ranked_end < ranked_begin) ranked_end = ranked_begin;
    if (block.lane() != 0) return;
    RankedRow result;
    result.slots = {{first, ranked_begin}, {ranked_begin, ranked_end}, {ranked_end, row.slots}};
    work.ranked[index] = result;
  }

  // How many slots of the row have a position below `position`.
  template <class Block>
  SLUICE_HD int64_t SlotsBelow(Block& block, const JobRow& row, int64_t position) const {
    int64_t count = 0;
    for (int32_t s = 0; s < row.span_count; ++s) {
      const Span& span = row.spans[s];
      count += span.contiguous ? sluice::SlotsBelow(work.pool, span, position)
                               : ScatteredSlotsBelow(block, span, position);
    }
    return count;
  }

  // Every lane looks at the last slot of one of 32 parts of what is in question.
  template <class Block>
  SLUICE_HD int64_t ScatteredSlotsBelow(Block& block, const Span& span, int64_t position) const {
    int64_t low = 0;
    int64_t high = span.slots;
    while (low < high) {
      const int64_t part = RoundUp(high - low, kWarpThreads) / kWarpThreads;
      const int64_t slot = low + (block.lane() + 1) * part - 1;
      const bool below = slot < high && SlotPosition(work.pool, span, slot) < position;
      const int64_t parts_below = CountBits(block.Ballot(below));
      const int64_t end = low + (parts_below + 1) * part - 1;
      if (end < high) high = end;
      low += parts_below * part;
    }
    return low;
  }
};

// Gives the places that a segment's threshold leaves to the slots at it, row by row. Called
// by a whole warp, on rows [first, end) whose `above` and `equal` are known.
template <class Block>
SLUICE_HD void ShareTies(Block& block, const SelectWork& work, int64_t first, int64_t end,
                         int64_t k, uint32_t threshold) {
  int64_t above = 0;
  for (int64_t i = first + block.lane(); i < end; i += kWarpThreads) {
    above += work.Bounded(work.ranked[i].above, work.ranked[i]);
  }
  int64_t left = k - SumOfWarp(block, above);
  for (int64_t base = first; base < end; base += kWarpThreads) {
    const int64_t i = base + block.lane();
    int64_t without = 0;
    int64_t most = 0;
    if (i < end) {
      const RankedRow& row = work.ranked[i];
      without = work.Bounded(row.above, row);
      most = work.Bounded(row.above + row.equal, row) - without;
    }
    const int64_t upto = PrefixOfWarp(block, most);
    int64_t gained = left - (upto - most);
    gained = gained < 0 ? 0 : (gained > most ? most : gained);
    if (i < end) {
      RankedRow& row = work.ranked[i];
      row.kept = without + gained;
      row.threshold = threshold;
      row.has_threshold = row.kept >= row.above && row.kept <= row.above + row.equal ? 1 : 0;
    }
    left -= block.Shuffle(upto, kWarpThreads - 1);
  }
}

// A block settles a segment, or lets its rows compete.
struct SelectStartKernel {
  static constexpr int32_t kThreads = 128;
  static constexpr int32_t kSharedBytes = 3 * 8;

  SelectWork work;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t s = block.index(); s < work.segment_count; s += block.count()) Start(block, s);
  }

 private:
  // What the rows of a segment keep together: with nothing above the threshold, with what is
  // protected, with everything.
  struct Sums {
    int64_t least = 0;
    int64_t with_protected = 0;
    int64_t most = 0;
  };

  template <class Block>
  SLUICE_HD void Start(Block& block, int64_t s) const {
    const int64_t first = work.first_ranked[s];
    const int64_t end = work.first_ranked[s + 1];
    const int64_t k = work.args.segments[work.first_segment + s].k;
    const Sums sums = SumRows(block, first, end);
    Contest contest = Contest::kSettled;
    if (end - first == 1) {
      if (block.thread() == 0) work.ranked[first].kept = work.Bounded(k, work.ranked[first]);
    } else if (k <= sums.least || k >= sums.most) {
      ForEachOfBlock(block, end - first, [&](int64_t i) {
        RankedRow& row = work.ranked[first + i];
        row.kept = work.Bounded(k <= sums.least ? 0 : row.slots.slots(), row);
      });
    } else {
      const bool among_protected = sums.with_protected >= k;
      SetOut(block, first, end, among_protected);
      if (work.args.scores == nullptr) {
        block.Sync();
        if (block.thread() < kWarpThreads) {
          ShareTies(block, work, first, end, k, OrderedKey(0.0f));
        }
      } else {
        contest = among_protected ? Contest::kAmongProtected : Contest::kAmongRanked;
      }
    }
    if (block.thread() == 0) work.states[s] = {contest, 0};
  }

  template <class Block>
  SLUICE_HD Sums SumRows(Block& block, int64_t first, int64_t end) const {
    auto* const shared = reinterpret_cast<uint64_t*>(block.shared());
    block.Sync();
    if (block.thread() < 3) shared[block.thread()] = 0;
    block.Sync();
    ForEachOfBlock(block, end - first, [&](int64_t i) {
      const RankedRow& row = work.ranked[first + i];
      const SelectRow& slots = row.slots;
      Add(block, shared, work.Bounded(0, row));
      Add(block, shared + 1, work.Bounded(slots.protected_slots(), row));
      Add(block, shared + 2, work.Bounded(slots.slots(), row));
    });
    block.Sync();
    return {static_cast<int64_t>(shared[0]), static_cast<int64_t>(shared[1]),
            static_cast<int64_t>(shared[2])};
  }

  template <class Block>
  SLUICE_HD static void Add(Block& block, uint64_t* sum, int64_t value) {
    block.AtomicAdd(sum, static_cast<uint64_t>(value));
  }

  template <class Block>
  SLUICE_HD void SetOut(Block& block, int64_t first, int64_t end, bool among_protected) const {
    ForEachOfBlock(block, end - first, [&](int64_t i) {
      RankedRow& row = work.ranked[first + i];
      const int64_t protected_slots = row.slots.protected_slots();
      row.above = among_protected ? 0 : protected_slots;
      row.equal = among_protected ? protected_slots : row.slots.ranked.size();
    });
    if (work.args.scores == nullptr) return;
    uint32_t* const histograms = work.Histogram(first);
    ForEachOfBlock(block, (end - first) * work.bins, [&](int64_t i) { histograms[i] = 0; });
  }
};

// A block counts a digit of the keys of a tile of a row: in its shared memory, then in the
// row's histogram.
struct SelectCountKernel {
  static constexpr int64_t kTileSlots = 4096;
  static constexpr int32_t kThreads = 256;

  SelectWork work;
  SelectDigit digit;
  int64_t tiles_per_row = 1;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t tiles = work.ranked_rows * tiles_per_row;
    for (int64_t tile = block.index(); tile < tiles; tile += block.count()) {
      const int64_t index = tile / tiles_per_row;
      const int32_t segment = work.places[index].segment - work.first_segment;
      const ContestState state = work.states[segment];
      if (state.contest == Contest::kSettled) continue;
      const int64_t first = tile % tiles_per_row * kTileSlots;
      if (first < work.ranked[index].slots.high.end) CountTile(block, index, state, first);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void CountTile(Block& block, int64_t index, const ContestState& state,
                           int64_t first) const {
    auto* const bins = reinterpret_cast<uint32_t*>(block.shared());
    ForEachOfBlock(block, digit.bins(), [&](int64_t i) { bins[i] = 0; });
    block.Sync();
    const RowKeys keys = work.KeysOf(index);
    const Competing competing =
        CompetingOf(work.ranked[index].slots, state.contest == Contest::kAmongProtected)
            .Within(first, first + kTileSlots);
    CountDigits(block, keys, competing.first, digit, state.prefix, bins);
    CountDigits(block, keys, competing.second, digit, state.prefix, bins);
    block.Sync();
    uint32_t* const histogram = work.Histogram(index);
    ForEachOfBlock(block, digit.bins(), [&](int64_t i) {
      if (bins[i] != 0) block.AtomicAdd(histogram + i, bins[i]);
    });
    block.Sync();
  }
};

// A block decides a digit of a segment's threshold: the largest one at which its rows keep k
// slots or more.
struct SelectDecideKernel {
  static constexpr int32_t kThreads = 128;
  static constexpr int32_t kMostSteps = 16;  // bits of a digit
  static constexpr int32_t kSharedBytes = kMostSteps * 8;

  SelectWork work;
  SelectDigit digit;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t s = block.index(); s < work.segment_count; s += block.count()) {
      const ContestState state = work.states[s];
      if (state.contest != Contest::kSettled) Decide(block, s, state);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void Decide(Block& block, int64_t s, const ContestState& state) const {
    const int64_t first = work.first_ranked[s];
    const int64_t end = work.first_ranked[s + 1];
    const int64_t k = work.args.segments[work.first_segment + s].k;
    auto* const sums = reinterpret_cast<uint64_t*>(block.shared());
    block.Sync();
    if (block.thread() < kMostSteps) sums[block.thread()] = 0;
    const int32_t warps = block.threads() / kWarpThreads;
    for (int64_t i = first + block.thread() / kWarpThreads; i < end; i += warps) {
      SumFromAbove(block, work.Histogram(i));
    }
    block.Sync();
    const int32_t bin = FindBin(block, first, end, k, sums);
    ForEachOfBlock(block, end - first, [&](int64_t i) { Note(first + i, bin); });
    block.Sync();
    const uint32_t prefix = state.prefix << digit.bits | static_cast<uint32_t>(bin);
    if (digit.shift == 0) {
      if (block.thread() < kWarpThreads) ShareTies(block, work, first, end, k, prefix);
    } else {
      uint32_t* const histograms = work.Histogram(first);
      ForEachOfBlock(block, (end - first) * work.bins, [&](int64_t i) { histograms[i] = 0; });
    }
    if (block.thread() == 0) work.states[s] = {state.contest, prefix};
  }

  // Makes of each bin its sum with all those above. Called by a whole warp: a lane has a run
  // of bins.
  template <class Block>
  SLUICE_HD void SumFromAbove(Block& block, uint32_t* histogram) const {
    // Lane 0 has the highest bins, so that sums go from the first lane on.
    const int32_t lanes = digit.bins() < kWarpThreads ? digit.bins() : kWarpThreads;
    const int32_t run = digit.bins() / lanes;
    uint32_t* const bins = histogram + digit.bins() - (block.lane() + 1) * run;
    uint32_t sum = 0;
    const bool has_bins = block.lane() < lanes;
    for (int32_t i = 0; has_bins && i < run; ++i) sum += bins[i];
    uint32_t from_above = PrefixOfWarp(block, sum) - sum;
    for (int32_t i = run - 1; has_bins && i >= 0; --i) {
      from_above += bins[i];
      bins[i] = from_above;
    }
  }

  template <class Block>
  SLUICE_HD int32_t FindBin(Block& block, int64_t first, int64_t end, int64_t k,
                            uint64_t* sums) const {
    int32_t bin = 0;
    for (int32_t step = 0; step < digit.bits; ++step) {
      const int32_t probe = bin + (digit.bins() >> (step + 1));
      int64_t kept = 0;
      ForEachOfBlock(block, end - first, [&](int64_t i) {
        const RankedRow& row = work.ranked[first + i];
        kept += work.Bounded(row.above + work.Histogram(first + i)[probe], row);
      });
      if (kept != 0) block.AtomicAdd(sums + step, static_cast<uint64_t>(kept));
      block.Sync();
      if (static_cast<int64_t>(sums[step]) >= k) bin = probe;
    }
    return bin;
  }

  SLUICE_HD void Note(int64_t index, int32_t bin) const {
    RankedRow& row = work.ranked[index];
    const uint32_t* const histogram = work.Histogram(index);
    const uint32_t above = bin + 1 < digit.bins() ? histogram[bin + 1] : 0u;
    row.above += above;
    row.equal = histogram[bin] - above;
  }
};

// A block writes the counts of a segment.
struct SelectCountsKernel {
  static constexpr int32_t kThreads = 128;

  SelectWork work;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t s = block.index(); s < work.segment_count; s += block.count()) {
      const int32_t rows = work.args.rows.row_count;
      const SelectSegment& segment = work.args.segments[work.first_segment + s];
      int32_t* const counts = work.args.counts + (work.first_segment + s) * rows;
      ForEachOfBlock(block, rows, [&](int64_t r) {
        const int64_t i = r - segment.first_row;
        const bool inside = i >= 0 && i < segment.row_count;
        counts[r] = inside ? Kept(s, work.combined() ? 0 : i) : 0;
      });
    }
  }

 private:
  SLUICE_HD int32_t Kept(int64_t s, int64_t i) const {
    return static_cast<int32_t>(work.ranked[work.first_ranked[s] + i].kept);
  }
};

}  // namespace sluice::device
