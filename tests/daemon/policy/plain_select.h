// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Selection as obvious as it can be written: all slots of a segment, sorted whole.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/policy/recipe.h"

namespace sluice {

// What a row holds below the snapshot.
struct PlainRow {
  std::vector<int32_t> positions;  // ascending
  std::vector<float> scores;       // one a position; empty: all are equal
};

namespace internal {

struct PlainSlot {
  size_t row = 0;
  int32_t position = 0;
  bool is_protected = false;
  float score = 0;
};

inline std::vector<PlainSlot> Ranked(const RecipeSegment& segment,
                                     const std::vector<PlainRow>& rows) {
  std::vector<PlainSlot> slots;
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t i = 0; i < rows[row].positions.size(); ++i) {
      const int32_t p = rows[row].positions[i];
      if (p < segment.drop_below_position) continue;
      slots.push_back({row, p,
                       p < segment.protect_below_position || p >= segment.protect_from_position,
                       rows[row].scores.empty() ? 0.0f : rows[row].scores[i]});
    }
  }
  std::stable_sort(slots.begin(), slots.end(), [](const PlainSlot& a, const PlainSlot& b) {
    if (a.is_protected != b.is_protected) return a.is_protected;
    if (std::isnan(a.score) != std::isnan(b.score)) return std::isnan(b.score);
    return a.score > b.score;
  });
  return slots;
}

}  // namespace internal

// The positions that stay of each of `rows`, those of the segment in order.
inline std::vector<std::vector<int32_t>> PlainSelect(const RecipeSegment& segment,
                                                     int64_t at_least,
                                                     const std::vector<PlainRow>& rows) {
  std::vector<std::vector<int32_t>> kept(rows.size());
  std::vector<internal::PlainSlot> others;
  int64_t places = segment.k;
  for (const internal::PlainSlot& slot : internal::Ranked(segment, rows)) {
    if (static_cast<int64_t>(kept[slot.row].size()) >= at_least) {
      others.push_back(slot);
      continue;
    }
    kept[slot.row].push_back(slot.position);
    --places;
  }
  for (const internal::PlainSlot& slot : others) {
    if (places-- <= 0) break;
    kept[slot.row].push_back(slot.position);
  }
  for (std::vector<int32_t>& row : kept) std::sort(row.begin(), row.end());
  return kept;
}

// One row alone. `scores[p]` is that of position p; empty: all are equal.
inline std::vector<int32_t> PlainSelect(const RecipeSegment& segment,
                                        const std::vector<int32_t>& positions,
                                        const std::vector<float>& scores) {
  PlainRow row{.positions = positions, .scores = {}};
  if (!scores.empty()) {
    for (const int32_t p : positions) row.scores.push_back(scores[static_cast<size_t>(p)]);
  }
  return PlainSelect(segment, /*at_least=*/0, {row})[0];
}

}  // namespace sluice
