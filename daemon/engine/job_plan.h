// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "daemon/cache/bodies.h"
#include "daemon/cache/step.h"
#include "daemon/engine/job.h"

namespace sluice {

// The arithmetic of a job's plan. Pure.

// Of a mask: Select writes whole words, so rows are rounded up to them.
inline constexpr int64_t kSlotsPerWord = 32;

// Bytes of workspace that a row of `slots` slots takes: scores and a mask bit.
int64_t WorkspaceBytes(int64_t slots);

// The rows that the pass builds: first, and beyond the last.
std::pair<int32_t, int32_t> RowsOf(const JobRecipe& recipe, const JobPass& pass);

// Pages that each row's new body may have, as offsets [rows + 1]: where the pass
// selects no more than its segment's places, or than it has slots; 0 for a row that
// the pass leaves alone.
std::vector<int64_t> DestinationOffsets(const JobRecipe& recipe, const JobPass& pass,
                                        const std::vector<int64_t>& slots, int64_t page_size);

// Rows that are scored at a time at most, unless one segment has more: an operation a
// layer, of which a lane holds Backend::kLaneCapacity.
inline constexpr int32_t kMostScoredRows = 128;

// What a batch may take. The slice is what it may be unless one segment is larger.
struct BatchLimits {
  int64_t workspace_bytes = 0;
  int64_t slice_bytes = 0;  // of the workspace
  int64_t slice_flops = 0;  // of scores
};

// Cuts the pass's segments into batches of at most kMostScoredRows. `flops` [rows] are
// those of a row's score; empty: none. Empty if a segment does not fit the workspace.
std::vector<JobBatch> CutBatches(const JobRecipe& recipe, const JobPass& pass,
                                 const std::vector<int64_t>& slots,
                                 const std::vector<int64_t>& flops, const BatchLimits& limits);

// Cuts the recipe's count segments into batches, as large as the workspace allows:
// those that share rows are of one batch. Empty if one batch does not fit.
std::vector<JobBatch> CutCounts(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                int64_t workspace_bytes);

// Of `values` [rows], empty or not, those of the rows from `first_row` on.
int64_t SumOfRows(const std::vector<int64_t>& values, int32_t first_row, int32_t row_count);

// What the pass makes of the rows, from the counts and the reused pages, and of
// `old`, the bodies now, what it leaves alone. Null: no row has a body.
JobResult ResultOf(const Job& job, int64_t page_size, const Bodies* old);

}  // namespace sluice
