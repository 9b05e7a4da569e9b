// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/view.h"
#include "kernels/cpu/attend_row.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Tiles of a span, [first, last).
struct TileRun {
  int64_t first = 0;
  int64_t last = 0;
};

// The tiles of `span` that are among the tiles [first, last) of its row, which are
// numbered through the whole chunks of its spans. Tiles past the span's slots are
// left out.
TileRun TilesOfSpan(const AttendRow& row, int32_t span, int64_t first, int64_t last);

// The accumulated scores of a span of a row, and how a call's mass changes them.
class SpanScores {
 public:
  SpanScores(const PoolView& pool, const AttendArgs& args, const AttendEntry& entry,
             const AttendRow& row, int32_t span);

  // Whether any are kept.
  bool exist() const { return pages_ != nullptr || offsets_ != nullptr; }

  // REQUIRES of the rest: exist().
  //
  // Asks for the scores of tiles.
  void Prefetch(const TileRun& tiles) const;

  // Decays the scores of a tile and adds `sums`, [64]; under a cascade its pending
  // sums, [sum_count, 64].
  void Update(int64_t tile, const float* sums) const;

 private:
  // The sums of a page, [sum_count, page_size].
  float* Page(int64_t page) const {
    if (pages_ != nullptr) return pages_ + page * page_floats_;
    return reinterpret_cast<float*>(pool_.pool + offsets_[page]) + row_offset_;
  }

  const PoolView& pool_;
  const SpanChunks& chunks_;
  const float decay_;          // what the scores of slots seen before count
  const int32_t sum_count_;
  const int32_t page_shift_;   // of the groups of a page
  int64_t page_floats_ = 0;
  int64_t fresh_ = 0;          // slots from here on are new
  float* pages_ = nullptr;     // of a body's page 0
  const uint64_t* offsets_ = nullptr;  // in the pool, of a tail's blocks
  int64_t row_offset_ = 0;    // of the row in a block, in floats
};

}  // namespace sluice::cpu
