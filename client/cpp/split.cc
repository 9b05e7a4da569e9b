// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/split.h"

#include <algorithm>

namespace sluice::client {

std::vector<RowRange> SplitRows(int64_t rows, int64_t row_bytes, int64_t limit_bytes) {
  const int64_t at_once = limit_bytes / row_bytes;
  std::vector<RowRange> ranges;
  if (limit_bytes < row_bytes) return ranges;
  for (int64_t first = 0; first < rows; first += at_once) {
    ranges.push_back({first, std::min(at_once, rows - first)});
  }
  return ranges;
}

std::vector<RowRange> SplitEntries(std::span<const int64_t> row_counts, int64_t row_bytes,
                                   int64_t limit_bytes) {
  const int64_t at_once = limit_bytes / row_bytes;
  std::vector<RowRange> ranges;
  int64_t left = 0;  // rows, in the last range
  for (int64_t index = 0; index < std::ssize(row_counts); ++index) {
    const int64_t rows = row_counts[index];
    if (rows > at_once) return {};
    if (rows > left || ranges.empty()) {
      ranges.push_back({index, 0});
      left = at_once;
    }
    ++ranges.back().count;
    left -= rows;
  }
  return ranges;
}

std::vector<std::vector<LayerPart>> SplitLayers(std::span<const LayerSize> layers,
                                                int64_t limit_bytes) {
  std::vector<std::vector<LayerPart>> requests;
  int64_t left_bytes = 0;  // in the last request
  for (int64_t index = 0; index < std::ssize(layers); ++index) {
    const LayerSize& size = layers[index];
    const int64_t bytes = size.rows * size.row_bytes + size.last_bytes;
    if (bytes <= limit_bytes) {
      if (bytes > left_bytes || requests.empty()) {
        requests.emplace_back();
        left_bytes = limit_bytes;
      }
      requests.back().push_back({index, {0, size.rows}});
      left_bytes -= bytes;
      continue;
    }
    const auto ranges = SplitRows(size.rows, size.row_bytes, limit_bytes - size.last_bytes);
    if (ranges.empty()) return {};
    for (const RowRange& range : ranges) requests.push_back({{index, range}});
    left_bytes = 0;
  }
  return requests;
}

}  // namespace sluice::client
