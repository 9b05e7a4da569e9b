// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/view.h"
#include "kernels/cpu/attend_row.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// A tile of a row: number `tile` of its span.
struct TilePlace {
  int32_t span = 0;
  int64_t tile = 0;
};

// Where tile `number` lies when the whole chunks of both spans are counted.
TilePlace PlaceOf(const AttendRow& row, int64_t number);

// The accumulated scores of a row, and how a call's mass changes them.
class ScoreRow {
 public:
  ScoreRow(const PoolView& pool, const AttendArgs& args, const AttendEntry& entry,
           const AttendRow& row, int32_t kv_head);

  // Asks for the scores of a tile.
  void Prefetch(const TilePlace& place) const;

  // Decays the scores of a tile and adds `sums`, [64]; under a cascade its pending
  // sums, [sum_count, 64]. Tiles past the span's end are passed over.
  void Update(const TilePlace& place, const float* sums) const;

 private:
  float* ScoresOf(int32_t span, int64_t group, int32_t sum) const;

  const PoolView& pool_;
  const ViewEntry& entry_;
  const AttendRow& row_;
  const int32_t model_row_;
  const float decay_;                // what the scores of slots seen before count
  const int64_t first_position_;     // slots from here on are new
  const bool cascade_;
  const int32_t sum_count_;
  const int32_t page_shift_;         // of the groups of a page
  float* body_scores_ = nullptr;     // of a body that is no cascade's
};

}  // namespace sluice::cpu
