// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Pending sums becoming scores, on the best instruction set that is allowed.

#include <cstdint>

#include "kernels/ops.h"

namespace sluice::cpu {

// Slots of one page under a cascade.
struct PendingSlots {
  float* scores = nullptr;  // [count]; the sums lie `page_size` floats apart behind them
  int64_t count = 0;
  int64_t page_size = 0;
  int32_t sum_count = 1;  // PendingSums
};

// score <- decay * score + reduce_g(pending sums), which become 0. `decay` 0:
// whatever the score was. Thread-safe over disjoint slots.
void AddPending(const PendingSlots& slots, float decay, GroupReduce reduce);

}  // namespace sluice::cpu
