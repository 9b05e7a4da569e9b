// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Selection as obvious as it can be written: one row, sorted whole.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "daemon/policy/recipe.h"

namespace sluice {

// The positions that stay of a row that holds `positions` (ascending), all below
// the snapshot. `scores[p]` is that of position p; empty: all are equal.
inline std::vector<int32_t> PlainSelect(const RecipeSegment& segment,
                                        const std::vector<int32_t>& positions,
                                        const std::vector<float>& scores) {
  struct Slot {
    int32_t position;
    bool is_protected;
    float score;
  };
  std::vector<Slot> slots;
  for (const int32_t p : positions) {
    if (p < segment.drop_below_position) continue;
    slots.push_back({p, p < segment.protect_below_position || p >= segment.protect_from_position,
                     scores.empty() ? 0.0f : scores[static_cast<size_t>(p)]});
  }
  std::stable_sort(slots.begin(), slots.end(), [](const Slot& a, const Slot& b) {
    if (a.is_protected != b.is_protected) return a.is_protected;
    if (std::isnan(a.score) != std::isnan(b.score)) return std::isnan(b.score);
    return a.score > b.score;
  });
  const auto k = static_cast<size_t>(segment.k);
  if (k < slots.size()) slots.resize(k);
  std::vector<int32_t> kept;
  for (const Slot& slot : slots) kept.push_back(slot.position);
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace sluice
