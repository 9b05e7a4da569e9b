// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/policy/facts.h"
#include "daemon/policy/policy_spec.h"
#include "daemon/policy/top_k_retention.h"

namespace sluice {

// A layer that owns a cache.
struct LayerRows {
  int32_t first_row = 0;
  int32_t kv_heads = 0;  // at least 1
  int64_t window_tokens = 0;

  int32_t end_row() const { return first_row + kv_heads; }
};

// The rows of a model and their states when a job is planned. Immutable,
// thread-safe.
class RowTable {
 public:
  explicit RowTable(const ModelFacts& model);

  size_t row_count() const { return windows_.size(); }

  // Those that own a cache, ascending; their rows follow one another.
  std::span<const LayerRows> layers() const { return layers_; }

  // [rows] what each row has of what its layer has. REQUIRES: one value for each of layers().
  std::vector<int64_t> OfRows(std::span<const int64_t> of_layers) const;

  // Stops the process unless there is one RowFacts a row.
  void Check(std::span<const RowFacts> held) const;

  // [rows], each at the snapshot of `facts`. With SharedPrefix::kKeep it tells
  // which slots are to be kept whole.
  std::vector<RowState> StatesOf(const JobFacts& facts, SharedPrefix shared_prefix) const;

 private:
  std::vector<LayerRows> layers_;  // constant after construction, as is the next
  std::vector<int64_t> windows_;   // [rows], in tokens; 0: none
};

// [rows of the model] whether a row is of one of `layers`. REQUIRES: they are layers of
// `model`.
std::vector<bool> RowsOfLayers(const ModelFacts& model, std::span<const int32_t> layers);

}  // namespace sluice
