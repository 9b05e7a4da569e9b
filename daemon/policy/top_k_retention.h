// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Retention: each row keeps its best slots, its first and newest tokens before
// all others. Pure functions.

#include <cstdint>

#include "daemon/policy/budget.h"
#include "daemon/policy/recipe.h"

namespace sluice {

// One row at a snapshot. Counts are exact but for a row with a window, where
// some of `slots` may lie behind it.
struct RowState {
  int32_t row = 0;
  int64_t slots = 0;          // below the snapshot
  int64_t window_tokens = 0;  // of its layer; 0: none
  int64_t shared_slots = 0;   // to be kept whole
  int64_t shared_tokens = 0;  // their positions are below this
};

// A sequence at a snapshot; all tokens between the two are held.
struct Snapshot {
  int64_t tokens = 0;
  int64_t length_tokens = 0;
  int64_t hot_tokens() const { return length_tokens - tokens; }
};

struct TopKRetention {
  int64_t first_tokens = 0;   // sinks: positions below this stay
  int64_t last_tokens = 0;    // the newest tokens stay
  bool only_protected = false;  // nothing else does, whatever the budget leaves
};

// Slots of the row that can still be seen, at most: a job first drops what lies
// behind the sliding window (position <= snapshot - window).
int64_t VisibleSlots(const RowState& row, const Snapshot& snapshot);

// A segment that drops only what lies behind the window.
RecipeSegment KeepWhole(const RowState& row, const Snapshot& snapshot);

// A segment that brings the row to its budget, hot tokens counted.
RecipeSegment KeepBest(const RowState& row, const Snapshot& snapshot, const Budget& budget,
                       const TopKRetention& retention);

// Whether the segment may take a slot from the row; false is certain.
bool MayEvict(const RecipeSegment& segment, const RowState& row);

}  // namespace sluice
