// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/cache/step.h"
#include "daemon/engine/job.h"

namespace sluice {

// The arithmetic of a job's plan. Pure.

// Bytes of workspace that a row of `slots` slots takes: scores and a mask bit.
int64_t WorkspaceBytes(int64_t slots);

// Pages that each row may need, as offsets [rows + 1]: no more than its
// segment's places, or than it has slots.
std::vector<int64_t> DestinationOffsets(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                        int64_t page_size);

// Cuts the segments into batches of at most `workspace_bytes` each, and at most
// `slice_bytes` unless one segment is larger. Empty if a segment does not fit
// the workspace.
std::vector<JobBatch> CutBatches(const JobRecipe& recipe, const std::vector<int64_t>& slots,
                                 int64_t workspace_bytes, int64_t slice_bytes);

// What the job makes of the rows, from the counts and the reused pages.
JobResult ResultOf(const Job& job, int64_t page_size);

}  // namespace sluice
