// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/top_k_retention.h"

#include <algorithm>

namespace sluice {
namespace {

// The first position that a row after the snapshot can see.
int64_t WindowStart(const RowState& row, const Snapshot& snapshot) {
  if (row.window_tokens <= 0) return 0;
  return std::max<int64_t>(snapshot.tokens - row.window_tokens + 1, 0);
}

// An upper bound on the slots that protection holds, exact where all first and
// recent tokens are held and none lies behind the window.
int64_t ProtectedSlots(const RecipeSegment& segment, const RowState& row,
                       const Snapshot& snapshot) {
  int64_t first = std::max<int64_t>(
      segment.protect_below_position - segment.drop_below_position, 0);
  if (row.shared_tokens == segment.protect_below_position) {
    first = std::min(first, row.shared_slots);
  }
  const int64_t last =
      std::max<int64_t>(snapshot.tokens - segment.protect_from_position, 0);
  return std::min(first + last, VisibleSlots(row, snapshot));
}

}  // namespace

int64_t VisibleSlots(const RowState& row, const Snapshot& snapshot) {
  return std::min(row.slots, snapshot.tokens - WindowStart(row, snapshot));
}

RecipeSegment KeepWhole(const RowState& row, const Snapshot& snapshot) {
  RecipeSegment segment;
  segment.first_row = row.row;
  segment.k = VisibleSlots(row, snapshot);
  segment.drop_below_position = WindowStart(row, snapshot);
  return segment;
}

RecipeSegment KeepBest(const RowState& row, const Snapshot& snapshot, const Budget& budget,
                       const TopKRetention& retention) {
  RecipeSegment segment = KeepWhole(row, snapshot);
  segment.protect_below_position = std::max(retention.first_tokens, row.shared_tokens);
  const int64_t recent_start = snapshot.length_tokens - retention.last_tokens;
  if (recent_start < snapshot.tokens) {
    segment.protect_from_position = std::max<int64_t>(recent_start, 0);
  }
  const int64_t hot = snapshot.hot_tokens();
  const int64_t target =
      retention.only_protected ? hot : budget.TargetSlots(segment.k + hot);
  segment.k = std::max(target - hot, ProtectedSlots(segment, row, snapshot));
  return segment;
}

bool MayEvict(const RecipeSegment& segment, const RowState& row) {
  return row.slots > 0 && (segment.k < row.slots || segment.drop_below_position > 0);
}

}  // namespace sluice
