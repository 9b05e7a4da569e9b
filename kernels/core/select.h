// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The arithmetic of Select that both backends share: which slots of a row
// compete, how many a row keeps, and the search for the threshold digit by
// digit. Stateless, thread-safe.
//
// Positions ascend along a row, so the slots that are dropped, protected and
// ranked are ranges of slots.

#include <cstdint>

#include "kernels/core/rows.h"
#include "kernels/ops.h"

namespace sluice {

// Slots [begin, end) of a row.
struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;

  SLUICE_HD int64_t size() const { return end - begin; }
};

// A row seen by a segment: its slots in order are dropped, protected (`low`),
// ranked by score, protected again (`high`).
struct SelectRow {
  RowRange low;
  RowRange ranked;
  RowRange high;

  SLUICE_HD int64_t protected_slots() const { return low.size() + high.size(); }
  SLUICE_HD int64_t slots() const { return protected_slots() + ranked.size(); }
};

// How many slots of the whole row have a true position below `position`.
SLUICE_HD inline int64_t RowSlotsBelow(const PoolView& pool, const Row& row, int64_t position) {
  int64_t count = 0;
  for (int32_t s = 0; s < row.span_count; ++s) count += SlotsBelow(pool, row.spans[s], position);
  return count;
}

SLUICE_HD inline SelectRow MakeSelectRow(const PoolView& pool, const Row& row,
                                         const SelectSegment& segment) {
  const int64_t first = RowSlotsBelow(pool, row, segment.drop_below_position);
  int64_t ranked_begin = RowSlotsBelow(pool, row, segment.protect_below_position);
  if (ranked_begin < first) ranked_begin = first;
  int64_t ranked_end = RowSlotsBelow(pool, row, segment.protect_from_position);
  if (ranked_end < ranked_begin) ranked_end = ranked_begin;
  return {{first, ranked_begin}, {ranked_begin, ranked_end}, {ranked_end, row.slots}};
}

// How many slots a row keeps that has `above` of its `slots` slots above the
// threshold, under at_least and at_most.
SLUICE_HD inline int64_t BoundedCount(int64_t above, int64_t slots, int64_t at_least,
                                      int64_t at_most) {
  const int64_t most = at_most < slots ? at_most : slots;
  const int64_t least = at_least < most ? at_least : most;
  return above < least ? least : (above > most ? most : above);
}

// Where the k-th largest key is found in a histogram of one of its digits.
struct DigitPlace {
  int32_t digit = 0;
  int64_t above = 0;  // keys with a larger digit
};

// REQUIRES: 1 <= k <= the histogram's sum.
template <typename Count>
SLUICE_HD inline DigitPlace FindDigit(const Count* histogram, int32_t bins, int64_t k) {
  DigitPlace place;
  place.digit = bins - 1;
  while (place.above + static_cast<int64_t>(histogram[place.digit]) < k) {
    place.above += static_cast<int64_t>(histogram[place.digit--]);
  }
  return place;
}

// The k-th largest key, and how many of the keys equal to it are among the k
// largest: those of the lowest slots.
struct Threshold {
  uint32_t key = 0;
  int64_t ties = 0;
};

// The lowest `count` set bits of `word`.
SLUICE_HD inline uint32_t LowestBits(uint32_t word, int64_t count) {
  uint32_t result = 0;
  for (int64_t i = 0; i < count && word != 0; ++i) {
    const uint32_t lowest = word & (~word + 1u);
    result |= lowest;
    word ^= lowest;
  }
  return result;
}

// The bits of mask word `word` that stand for slots of `range`.
SLUICE_HD inline uint32_t RangeBits(const RowRange& range, int64_t word) {
  const int64_t first = word * 32;
  const int64_t low = range.begin > first ? range.begin - first : 0;
  const int64_t high = range.end < first + 32 ? range.end - first : 32;
  if (low >= high) return 0;
  const uint32_t below_high = high == 32 ? 0xffffffffu : (1u << high) - 1u;
  return below_high & ~((1u << low) - 1u);
}

}  // namespace sluice
