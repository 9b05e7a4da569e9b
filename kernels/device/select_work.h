// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernels of one Select (ops.h) hand on to each other.
//
// Look finds where the ranges of each row lie. Start settles the segments in which nothing
// competes; in the others rows compete digit by digit of their keys (number.h): Count makes
// a histogram of each row, Decide finds the digit at which the segment's k-th place lies and
// in the end what each row keeps. Mark finds which slots these are, row by row.

#include <math.h>

#include "kernels/core/number.h"
#include "kernels/core/select.h"
#include "kernels/device/block.h"
#include "kernels/device/job_rows.h"
#include "kernels/ops.h"

namespace sluice::device {

// A digit of keys, `shift` bits from the lowest one.
struct SelectDigit {
  int32_t shift = 0;
  int32_t bits = 0;

  SLUICE_HD int32_t bins() const { return 1 << bits; }
  SLUICE_HD uint32_t Of(uint32_t key) const {
    return (key >> shift) & (static_cast<uint32_t>(bins()) - 1u);
  }
  // What of the key lies above the digit.
  SLUICE_HD uint32_t Above(uint32_t key) const {
    return static_cast<uint32_t>(uint64_t{key} >> (shift + bits));
  }
};

// The place of a ranked row: its segment, and its number in the RowSet. Combined rows are
// ranked as the first of them.
struct RankedPlace {
  int32_t segment = 0;
  int32_t row = 0;
};

// A ranked row as far as it is known.
struct RankedRow {
  SelectRow slots;
  int64_t above = 0;  // of those that compete: above the digits decided so far
  int64_t equal = 0;  // at the threshold
  int64_t kept = 0;
  uint32_t threshold = 0;          // key
  uint32_t has_threshold = 0;      // whether its own is that of the segment
};

// Where the threshold of a segment is looked for.
enum class Contest : uint32_t { kSettled = 0, kAmongProtected = 1, kAmongRanked = 2 };

struct ContestState {
  Contest contest = Contest::kSettled;
  uint32_t prefix = 0;  // digits decided so far
};

// Scores of a ranked row as keys.
struct RowKeys {
  const float* scores = nullptr;  // null: all equal
  const int64_t* offsets = nullptr;  // of its rows in scores
  int32_t row_count = 1;
  RowCombine combine = RowCombine::kNone;

  SLUICE_HD uint32_t At(int64_t slot) const {
    if (scores == nullptr) return OrderedKey(0.0f);
    if (combine == RowCombine::kNone) return OrderedKey(scores[offsets[0] + slot]);
    return OrderedKey(combine == RowCombine::kMax ? Largest(slot) : Mean(slot));
  }

 private:
  SLUICE_HD float Largest(int64_t slot) const {
    float largest = NAN;
    for (int32_t r = 0; r < row_count; ++r) largest = fmaxf(largest, scores[offsets[r] + slot]);
    return largest;
  }
  SLUICE_HD float Mean(int64_t slot) const {
    double sum = 0.0;
    for (int32_t r = 0; r < row_count; ++r) {
      sum += static_cast<double>(scores[offsets[r] + slot]);
    }
    return static_cast<float>(sum / row_count);
  }
};

// Slots of a row that compete, in order.
struct Competing {
  RowRange first;
  RowRange second;

  SLUICE_HD bool Has(int64_t slot) const {
    return (slot >= first.begin && slot < first.end) ||
           (slot >= second.begin && slot < second.end);
  }
  // Those of them in [begin, end).
  SLUICE_HD Competing Within(int64_t begin, int64_t end) const {
    return {Cut(first, begin, end), Cut(second, begin, end)};
  }
  SLUICE_HD uint32_t Bits(int64_t word) const {
    return RangeBits(first, word) | RangeBits(second, word);
  }

 private:
  SLUICE_HD static RowRange Cut(const RowRange& range, int64_t begin, int64_t end) {
    return {range.begin > begin ? range.begin : begin, range.end < end ? range.end : end};
  }
};

SLUICE_HD inline Competing CompetingOf(const SelectRow& slots, bool among_protected) {
  if (among_protected) return {slots.low, slots.high};
  return {slots.ranked, RowRange{}};
}

// Counts a digit of the block's share of a range's keys, where the digits above it are
// those of `prefix`. An empty range may end before it begins.
template <class Block>
SLUICE_HD void CountDigits(Block& block, const RowKeys& keys, const RowRange& range,
                           const SelectDigit& digit, uint32_t prefix, uint32_t* bins) {
  constexpr int32_t kAtOnce = 4;  // loads that do not wait for each other
  const int64_t stride = block.threads();
  for (int64_t slot = range.begin + block.thread(); slot < range.end; slot += kAtOnce * stride) {
    uint32_t loaded[kAtOnce];
    for (int32_t i = 0; i < kAtOnce; ++i) {
      loaded[i] = slot + i * stride < range.end ? keys.At(slot + i * stride) : 0u;
    }
    for (int32_t i = 0; i < kAtOnce; ++i) {
      const bool counts = slot + i * stride < range.end && digit.Above(loaded[i]) == prefix;
      if (counts) block.AtomicAdd(bins + digit.Of(loaded[i]), 1u);
    }
  }
}

// Some segments of a Select, of which the scratch holds all that is noted. All pointers are
// the device's.
struct SelectWork {
  PoolView pool;
  SelectArgs args;
  const JobRow* job_rows = nullptr;  // [row_count of the RowSet]
  int32_t first_segment = 0;
  int32_t segment_count = 0;
  const int64_t* first_ranked = nullptr;  // [segment_count + 1], in the ranked rows
  int64_t ranked_rows = 0;
  const RankedPlace* places = nullptr;  // [ranked_rows]
  RankedRow* ranked = nullptr;          // [ranked_rows]
  ContestState* states = nullptr;       // [segment_count]
  uint32_t* histograms = nullptr;       // [ranked_rows, bins]; null: no rows compete
  int32_t bins = 0;                     // of the widest digit

  SLUICE_HD bool combined() const { return args.combine != RowCombine::kNone; }
  SLUICE_HD const SelectSegment& SegmentOf(int64_t ranked_row) const {
    return args.segments[places[ranked_row].segment];
  }
  SLUICE_HD uint32_t* Histogram(int64_t ranked_row) const {
    return histograms + ranked_row * bins;
  }
  SLUICE_HD RowKeys KeysOf(int64_t ranked_row) const {
    const RankedPlace& place = places[ranked_row];
    return {args.scores, args.rows.row_offsets + place.row, SegmentOf(ranked_row).row_count,
            args.combine};
  }
  SLUICE_HD int64_t Bounded(int64_t above, const RankedRow& row) const {
    return BoundedCount(above, row.slots.slots(), args.at_least, args.at_most);
  }
};

}  // namespace sluice::device
