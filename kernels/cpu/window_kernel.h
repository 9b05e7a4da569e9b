// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The vectorised parts of the window score. Each function runs on the best
// instruction set that is allowed. Numbers as in attend_kernel.h: fp32, logits
// and their log-sum-exp in units of log2. Stateless: safe from any thread.

#include <cstdint>

#include "kernels/cpu/attend_kernel.h"

namespace sluice::cpu {

// What a chunk leaves of each row of a unit: its largest logit, and the sum of
// exp2(logit - max). Rows that saw nothing: -inf and 0.
struct ChunkSums {
  float max[kMaxUnitRows];
  float sum[kMaxUnitRows];
};

// The sums over the tiles of a chunk. `logits`: scratch, [rows, 64].
void SumChunk(const PackedRows& queries, const TileRange& range, float* logits, ChunkSums* sums);

// state <- the sums of all chunks, from the left. Every row of each must be set.
void FoldSums(const ChunkSums* chunks, int64_t count, ChunkSums* state);

// The columns of a tile that a unit's rows add to.
struct WindowColumns {
  const PageFormat* format = nullptr;
  const AttendTile* tile = nullptr;
  const AttendTile* next = nullptr;  // what will be read next, for prefetching
  int32_t first = 0;                 // slots of the tile, multiples of 16
  int32_t last = 0;                  // one past
  const float* log_sums = nullptr;   // [rows]; +inf: the row adds nothing
};

// sums[first .. last) += sum over rows of exp2(logit - log_sum); rows in order.
// `logits`: scratch, [rows, 64].
void AddColumns(const PackedRows& queries, const WindowColumns& columns, float* logits,
                float* sums);

}  // namespace sluice::cpu
