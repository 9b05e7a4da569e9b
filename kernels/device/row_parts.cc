// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/row_parts.h"

#include "kernels/device/job_rows.h"
#include "kernels/device/parts.h"

namespace sluice::device {

std::vector<int64_t> OffsetsFrom(const int64_t* offsets, int64_t first, int64_t count) {
  std::vector<int64_t> result(offsets + first, offsets + first + count + 1);
  for (int64_t& offset : result) offset -= offsets[first];
  return result;
}

void ForEachRowPart(const RowSet& rows, Launcher& launcher,
                    const std::function<int64_t(int64_t row)>& bytes_of,
                    const std::function<void(const RowPart& part)>& lower, int64_t part_bytes) {
  constexpr int64_t kRowBytes = sizeof(JobRow) + sizeof(int64_t);
  RowPart part;
  for (; part.first < rows.row_count; part.first += part.count) {
    if (part.first > 0) launcher.NextPart();
    part.count = ItemsWithin(part.first, rows.row_count, launcher.part_bytes() - part_bytes,
                             [&](int64_t row) { return kRowBytes + bytes_of(row); });
    const std::vector<int64_t> offsets = OffsetsFrom(rows.row_offsets, part.first, part.count);
    part.first_slot = rows.row_offsets[part.first];
    part.slots = offsets.back();
    part.rows = {rows.entry, rows.first_row + static_cast<int32_t>(part.first),
                 static_cast<int32_t>(part.count), offsets.data()};
    lower(part);
  }
}

}  // namespace sluice::device
