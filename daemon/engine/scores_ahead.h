// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/engine/state.h"
#include "daemon/policy/recipe.h"

namespace sluice {

// Window scores that a prefill's last step computes of the layers that it is through
// with, for the job that its close is going to trigger (design: "DynamicKV inside
// prefill"): where budgets depend on the scores of all layers, and all fit the workspace
// together. They lie in a page of the pool a layer, taken when the step begins.
//
// Owned by Jobs. What its operations read or write that is not a page lives here until
// they have passed.
struct ScoresAhead {
  SequenceState* sequence = nullptr;  // null once dropped
  PolicyPtr policy;
  int64_t length_tokens = 0;  // once the step has closed
  int64_t snapshot_tokens = 0;
  WindowScore rule;
  ViewEntry entry;           // as the job's
  TableRange list_range;     // of a copy of the block list
  BlockId pages;             // [layers that own a cache]
  BlockId rings;
  // [layers that own a cache][kv heads + 1] of the scores in the layer's page
  std::vector<std::vector<int64_t>> offsets;
  std::vector<int64_t> slots;  // [rows] below the snapshot
  // Those submitted so far, in the order of the layers, are the first ones.
  std::vector<Ticket> tickets;
};

}  // namespace sluice
