// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::device {

// Bytes [begin, end) of a mirror of tables.
struct TableBytes {
  int64_t begin = 0;
  int64_t end = 0;
};

// Orders ranges and makes one of those that overlap or touch. Empty ones go.
void JoinRanges(std::vector<TableBytes>* ranges);

// Where a walk over ranges stands; at first at their begin.
struct TablePlace {
  size_t range = 0;
  int64_t done_bytes = 0;  // of the range
};

// The next piece of a walk, of at most `most_bytes` bytes; empty at the end. Moves `*place`
// on. REQUIRES: most_bytes > 0; no range is empty.
TableBytes NextPiece(const std::vector<TableBytes>& ranges, int64_t most_bytes,
                     TablePlace* place);

}  // namespace sluice::device
