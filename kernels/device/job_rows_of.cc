// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/job_rows_of.h"

#include <algorithm>

namespace sluice::device {

std::vector<JobRow> JobRowsOf(const PoolView& pool, const RowSet& rows) {
  std::vector<JobRow> result(static_cast<size_t>(rows.row_count));
  for (int32_t r = 0; r < rows.row_count; ++r) {
    const Row row = MakeRow(pool, *rows.entry, rows.first_row + r, rows.entry->base_length);
    JobRow& job_row = result[r];
    job_row.span_count = std::min(row.span_count, 2);
    std::copy_n(row.spans, job_row.span_count, job_row.spans);
    job_row.slots = row.slots;
  }
  return result;
}

const JobRow* JobRowsIn(std::vector<JobRow> rows, Launcher& launcher) {
  for (JobRow& row : rows) {
    for (int32_t span = 0; span < row.span_count; ++span) {
      row.spans[span] = launcher.SpanIn(row.spans[span]);
    }
  }
  return launcher.In(rows.data(), static_cast<int64_t>(rows.size()));
}

int64_t LongestRow(const std::vector<JobRow>& rows) {
  int64_t longest = 0;
  for (const JobRow& row : rows) longest = std::max(longest, row.slots);
  return longest;
}

}  // namespace sluice::device
