// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/compact.h"

#include <algorithm>
#include <vector>

#include "kernels/device/compact_kernels.h"
#include "kernels/device/job_rows_of.h"
#include "kernels/device/parts.h"
#include "kernels/device/row_parts.h"

namespace sluice::device {
namespace {

void LowerPart(const CompactArgs& args, Launcher& launcher) {
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

}  // namespace

void LowerCompact(const CompactArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t row) {
    const int64_t slots = args.rows.row_offsets[row + 1] - args.rows.row_offsets[row];
    const int64_t pages = args.destination_offsets[row + 1] - args.destination_offsets[row];
    return launcher.StagedBytes(args.masks, slots / 8) + static_cast<int64_t>(sizeof(int64_t)) +
           2 * pages * static_cast<int64_t>(sizeof(uint32_t));
  };
  ForEachRowPart(args.rows, launcher, bytes_of, [&](const RowPart& rows) {
    const int64_t first_page = args.destination_offsets[rows.first];
    const std::vector<int64_t> offsets =
        OffsetsFrom(args.destination_offsets, rows.first, rows.count);
    CompactArgs part = args;
    part.rows = rows.rows;
    part.masks = From(args.masks, rows.first_slot / 32);
    part.destination_pages = From(args.destination_pages, first_page);
    part.destination_offsets = offsets.data();
    part.reused = From(args.reused, first_page);
    LowerPart(part, launcher);
  });
}

}  // namespace sluice::device
