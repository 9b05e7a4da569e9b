// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/policy/facts.h"
#include "daemon/policy/policy_spec.h"
#include "daemon/policy/recipe.h"
#include "daemon/policy/row_table.h"
#include "daemon/policy/top_k_retention.h"

namespace sluice {

// One job of a policy that scores by a window. The papers count the slots of a row
// that lie before the window; a job chooses among those below its snapshot. The two
// differ where the hot tail is wider than the window, which keeps more tokens out of
// the choice, or narrower, where an earlier job took a part of the window into the
// body. This class turns one into the other; wherever it says `prefix` it is the
// paper's. Slots behind a layer's sliding window do not count.
//
// Immutable, thread-safe; the spec and the rows must outlive it.
class WindowJob {
 public:
  // REQUIRES: `spec` went through ResolveWindow.
  WindowJob(const PolicySpec& spec, const RowTable& rows, const JobFacts& facts);

  // What a row holds before the window.
  int64_t PrefixSlots(size_t row) const;

  // Over all rows of a layer.
  int64_t PrefixSlotsOf(const LayerRows& layer) const;

  // Drops only what lies behind sliding windows.
  JobRecipe KeepAll() const;

  // Every row keeps the best `prefix_slots[row]` before the window, and the window.
  // `prefix_slots` [rows]; what a row lacks is not made up for elsewhere.
  JobRecipe KeepBestOf(std::span<const int64_t> prefix_slots) const;

  // An empty recipe of this job's score.
  JobRecipe Recipe() const;

  // A count of the rows from `first_row` to before `end_row`, all with one sliding
  // window, competing for `prefix_slots` places before the window.
  RecipeSegment Competition(int32_t first_row, int32_t end_row, int64_t prefix_slots) const;

  // Of a row's count in such a competition, what lies before the window.
  int64_t PrefixWinners(int32_t count) const;

  // Of the best `tokens` of a row, window included, how many lie below the snapshot.
  int64_t BelowSnapshot(int64_t tokens) const;

 private:
  const PolicySpec& spec_;
  const Snapshot snapshot_;
  const std::vector<RowState> rows_;
  const int64_t window_below_;  // of the window below the snapshot; negative: the tail is wider
};

}  // namespace sluice
