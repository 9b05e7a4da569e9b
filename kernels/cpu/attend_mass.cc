// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_mass.h"

#include <algorithm>

#include "kernels/core/layout.h"
#include "kernels/core/mass.h"
#include "kernels/cpu/attend_kernel.h"

namespace sluice::cpu {

TilePlace PlaceOf(const AttendRow& row, int64_t number) {
  const int64_t first_span_tiles = row.chunks(0).count * row.chunk_tiles();
  if (row.row().span_count < 2 || number < first_span_tiles) return {0, number};
  return {1, number - first_span_tiles};
}

ScoreRow::ScoreRow(const PoolView& pool, const AttendArgs& args, const AttendEntry& entry,
                   const AttendRow& row, int32_t kv_head)
    : pool_(pool),
      entry_(*entry.entry),
      row_(row),
      model_row_(args.layer->first_row + kv_head),
      decay_(DecayPower(args.mass.decay, entry.token_count)),
      first_position_(entry.first_position) {
  for (int32_t span = 0; span < row.row().span_count; ++span) {
    if (row.row().spans[span].contiguous) continue;
    body_scores_[span] = BodyScores(pool, entry_, model_row_);
  }
}

// Scores of a group of 16 slots, counted as in SpanChunks; null: none are kept.
float* ScoreRow::ScoresOf(int32_t span_index, int64_t group) const {
  const Span& span = row_.row().spans[span_index];
  if (!span.contiguous) {
    float* scores = body_scores_[span_index];
    return scores == nullptr ? nullptr : scores + group * kGroupSlots;
  }
  const int64_t page_groups = span.format->page.page_size / kGroupSlots;
  const int64_t place = row_.chunks(span_index).first_group + group;
  float* scores = TailScores(pool_, entry_, model_row_, place / page_groups);
  return scores == nullptr ? nullptr : scores + place % page_groups * kGroupSlots;
}

void ScoreRow::Prefetch(const TilePlace& place) const {
  const int64_t groups = (row_.chunks(place.span).end + kGroupSlots - 1) / kGroupSlots;
  const int64_t first = place.tile * kTileGroups;
  for (int64_t group = first; group < first + kTileGroups && group < groups; ++group) {
    const float* scores = ScoresOf(place.span, group);
    if (scores != nullptr) __builtin_prefetch(scores, 1, 2);
  }
}

void ScoreRow::Update(const TilePlace& place, const float* sums) const {
  const SpanChunks& chunks = row_.chunks(place.span);
  const Span& span = row_.row().spans[place.span];
  const int64_t first = place.tile * kTileSlots;
  ScoreTile tile;
  tile.begin = static_cast<int32_t>(std::max<int64_t>(0, chunks.lead - first));
  tile.end = static_cast<int32_t>(std::clamp<int64_t>(chunks.end - first, 0, kTileSlots));
  if (tile.begin >= tile.end) return;
  if (span.contiguous) {
    const int64_t fresh = chunks.lead + first_position_ - span.first_position - first;
    tile.fresh = static_cast<int32_t>(std::clamp<int64_t>(fresh, 0, kTileSlots));
  }
  for (int32_t group = 0; group * kGroupSlots < tile.end; ++group) {
    tile.scores[group] = ScoresOf(place.span, place.tile * kTileGroups + group);
  }
  UpdateScores(tile, decay_, sums);
}

}  // namespace sluice::cpu
