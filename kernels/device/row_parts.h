// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/device/launcher.h"
#include "kernels/ops.h"

namespace sluice::device {

// Some rows of a RowSet, as a set of their own.
struct RowPart {
  int64_t first = 0;  // of the set's rows
  int64_t count = 0;
  int64_t first_slot = 0;  // in dense arrays of one value a slot: the first row's first
  int64_t slots = 0;       // of all rows there
  RowSet rows;             // its offsets are from first_slot on
};

// Calls lower(part) for all rows in order, as many at a time as a part of the operation may
// take of staging: `bytes_of(row)` bytes for each, beside what the set says of it and
// `part_bytes` of a part whatever its rows.
void ForEachRowPart(const RowSet& rows, Launcher& launcher,
                    const std::function<int64_t(int64_t row)>& bytes_of,
                    const std::function<void(const RowPart& part)>& lower,
                    int64_t part_bytes = 0);

// Offsets [first, first + count], less the first of them.
std::vector<int64_t> OffsetsFrom(const int64_t* offsets, int64_t first, int64_t count);

}  // namespace sluice::device
