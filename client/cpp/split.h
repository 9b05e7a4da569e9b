// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice::client {

// Internal: how tensors that are too large for one request become several. The
// functions are pure and thread-safe.

// Rows `first` to `first + count`.
struct RowRange {
  int64_t first = 0;
  int64_t count = 0;
  bool operator==(const RowRange&) const = default;
};

// Cuts `rows` rows of `row_bytes` bytes into ranges of at most `limit_bytes`, in
// order and as few as possible. Empty if one row is larger than the limit.
// REQUIRES: rows and row_bytes are at least 1.
std::vector<RowRange> SplitRows(int64_t rows, int64_t row_bytes, int64_t limit_bytes);

// Cuts entries of `row_counts[i]` rows of `row_bytes` bytes into ranges of whole
// entries of at most `limit_bytes`, in order and as few as possible: `first` and
// `count` are of entries. Empty if one entry is larger than the limit.
// REQUIRES: there is an entry, row_bytes and every count are at least 1.
std::vector<RowRange> SplitEntries(std::span<const int64_t> row_counts, int64_t row_bytes,
                                   int64_t limit_bytes);

// The size of one layer's tensors: k and v by row, and what only the last part
// brings (observation queries).
struct LayerSize {
  int64_t rows = 0;
  int64_t row_bytes = 0;
  int64_t last_bytes = 0;
};

// Rows of one layer that go into one request.
struct LayerPart {
  int64_t layer_index = 0;  // into the list of sizes
  RowRange rows;
  bool operator==(const LayerPart&) const = default;
};

// Distributes layers over requests of at most `limit_bytes`, in order: whole
// layers together as far as they fit, and a layer that alone is too large in
// parts of its own. Empty if a layer's smallest part is larger than the limit.
// REQUIRES: as SplitRows, for each layer.
std::vector<std::vector<LayerPart>> SplitLayers(std::span<const LayerSize> layers,
                                                int64_t limit_bytes);

}  // namespace sluice::client
