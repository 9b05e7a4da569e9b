// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/device/job_rows.h"
#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// The rows of a set, from the tables alone, for the host. REQUIRES: the entry has no cascade;
// the pool is the launcher's host_pool().
std::vector<JobRow> JobRowsOf(const PoolView& pool, const RowSet& rows);

// The same rows where kernels reach them, as these reach the tables.
const JobRow* JobRowsIn(std::vector<JobRow> rows, Launcher& launcher);

// Of the longest, in slots; 0: there are none.
int64_t LongestRow(const std::vector<JobRow>& rows);

}  // namespace sluice::device
