// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the engine tells a policy: lengths and counts, never tensors. A row is a
// (layer, kv head) of the model, by its number there.

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

// One layer of a model.
struct LayerFacts {
  int32_t first_row = 0;
  int32_t kv_heads = 0;       // its rows are first_row .. first_row + kv_heads; 0: it owns no cache
  int64_t window_tokens = 0;  // 0: none; of several layers that read its cache, the widest
};

struct ModelFacts {
  std::vector<LayerFacts> layers;  // their rows are disjoint and number 0 .. rows - 1
  int64_t page_size = 0;           // in slots
};

// What one row holds between two steps.
struct RowFacts {
  int64_t slots = 0;         // body and tail, the hot tail included
  int64_t shared_slots = 0;  // of these, those of the sequence's shared tokens
};

// Where a sequence stands when a trigger is looked at, between two steps.
struct SequenceFacts {
  int64_t most_slots = 0;           // Policy::MostSlots of its rows as they are now
  int64_t decoded_tokens = 0;       // that decode steps added since the last job, less rolled back
  int64_t earlier_prefill_ends = 0;  // ends of prefill before this one
};

// What a job starts from.
struct JobFacts {
  int64_t length_tokens = 0;    // of closed steps
  int64_t snapshot_tokens = 0;  // the job may touch positions below; see Policy::SnapshotTokens
  int64_t shared_tokens = 0;    // adopted, or had when forked: positions below
  std::span<const RowFacts> rows;  // [rows of the model]
};

}  // namespace sluice
