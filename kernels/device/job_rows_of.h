// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/device/job_rows.h"
#include "kernels/ops.h"

namespace sluice::device {

// The rows of a set, from the tables alone. REQUIRES: the entry has no cascade.
std::vector<JobRow> JobRowsOf(const PoolView& pool, const RowSet& rows);

// Of the longest, in slots; 0: there are none.
int64_t LongestRow(const std::vector<JobRow>& rows);

}  // namespace sluice::device
