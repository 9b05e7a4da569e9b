// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/compact.h"

#include <algorithm>
#include <vector>

#include "kernels/device/compact_kernels.h"
#include "kernels/device/job_rows_of.h"

namespace sluice::device {

void LowerCompact(const CompactArgs& args, Launcher& launcher) {
  const int32_t row_count = args.rows.row_count;
  const int64_t page_count = args.destination_offsets[row_count];
  const std::vector<JobRow> rows = JobRowsOf(launcher.host_pool(), args.rows);
  CompactArgs placed = args;
  placed.rows = launcher.Rows(args.rows);
  placed.masks = launcher.In(args.masks, args.rows.row_offsets[row_count] / 32);
  placed.destination_pages = launcher.In(args.destination_pages, page_count);
  placed.destination_offsets = launcher.In(args.destination_offsets, row_count + 1);
  placed.reused = launcher.InOut(args.reused, page_count);
  const JobRow* const job_rows = JobRowsIn(rows, launcher);
  const int32_t page_size = launcher.host_pool().formats[args.destination_format].page.page_size;
  int64_t count = 0;
  for (int64_t first = 0; first < page_count; first += count) {
    launcher.ResetScratch();
    count = std::min(page_count - first, launcher.scratch_left_bytes() /
                                             static_cast<int64_t>(sizeof(CompactPage)));
    auto* const pages = launcher.Scratch<CompactPage>(count);
    launcher.Launch(FindPagesKernel{placed, job_rows, page_size, first, count, pages},
                    {row_count, kWarpThreads, 0});
    launcher.Launch(CompactKernel{launcher.pool(), placed, job_rows, pages, first, count},
                    {count, 128, CompactKernel::kSharedBytes});
  }
}

}  // namespace sluice::device
