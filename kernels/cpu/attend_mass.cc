// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_mass.h"

#include <algorithm>

#include "kernels/core/layout.h"
#include "kernels/core/mass.h"
#include "kernels/cpu/attend_kernel.h"

namespace sluice::cpu {

TilePlace PlaceOf(const AttendRow& row, int64_t number) {
  if (row.row().span_count <= 2) {  // nearly all rows: without divisions
    const int64_t first_span_tiles = row.chunks(0).count * row.chunk_tiles();
    if (row.row().span_count < 2 || number < first_span_tiles) return {0, number};
    return {1, number - first_span_tiles};
  }
  const int32_t span = row.SpanOf(static_cast<int32_t>(number / row.chunk_tiles()));
  return {span, number - row.FirstChunk(span) * row.chunk_tiles()};
}

namespace {

// Pages have a power of two of groups: 1, 2 or 4.
int32_t PageShift(const PageFormat& format) {
  return __builtin_ctz(static_cast<uint32_t>(format.page_size / kGroupSlots));
}

}  // namespace

ScoreRow::ScoreRow(const PoolView& pool, const AttendArgs& args, const AttendEntry& entry,
                   const AttendRow& row, int32_t kv_head)
    : pool_(pool),
      entry_(*entry.entry),
      row_(row),
      model_row_(args.layer->first_row + kv_head),
      decay_(DecayPower(args.mass.decay, entry.token_count)),
      first_position_(entry.row_position),
      cascade_(entry.cascade),
      sum_count_(entry.sum_count),
      page_shift_(PageShift(pool.formats[entry.entry->tail_format].page)) {
  const bool has_body = row.row().span_count > 0 && !row.row().spans[0].contiguous;
  if (has_body) body_scores_ = BodyScores(pool, entry_, model_row_);
}

// Scores of a group of 16 slots, counted as in SpanChunks, or under a cascade
// their pending sums of number `sum`; null: none are kept.
float* ScoreRow::ScoresOf(int32_t span_index, int64_t group, int32_t sum) const {
  const Span& span = row_.row().spans[span_index];
  if (!span.contiguous) {
    return body_scores_ == nullptr ? nullptr : body_scores_ + group * kGroupSlots;
  }
  const int64_t place = row_.chunks(span_index).first_group + group;
  const int64_t page = place >> page_shift_;
  const int64_t group_of_page = place - (page << page_shift_);
  if (cascade_) {
    float* scores = CascadeScores(pool_, entry_, span, page, sum_count_);
    if (scores == nullptr) return nullptr;
    return scores + (((int64_t{1} + sum) << page_shift_) + group_of_page) * kGroupSlots;
  }
  float* scores = TailScores(pool_, entry_, model_row_, page);
  return scores == nullptr ? nullptr : scores + group_of_page * kGroupSlots;
}

void ScoreRow::Prefetch(const TilePlace& place) const {
  const int64_t groups = (row_.chunks(place.span).end + kGroupSlots - 1) / kGroupSlots;
  const int64_t first = place.tile * kTileGroups;
  for (int64_t group = first; group < first + kTileGroups && group < groups; ++group) {
    for (int32_t sum = 0; sum < sum_count_; ++sum) {
      const float* scores = ScoresOf(place.span, group, sum);
      if (scores != nullptr) __builtin_prefetch(scores, 1, 2);
    }
  }
}

void ScoreRow::Update(const TilePlace& place, const float* sums) const {
  const SpanChunks& chunks = row_.chunks(place.span);
  const Span& span = row_.row().spans[place.span];
  const int64_t first = place.tile * kTileSlots;
  ScoreTile tile;
  tile.begin = static_cast<int32_t>(std::max<int64_t>(0, chunks.lead - first));
  tile.end = static_cast<int32_t>(std::clamp<int64_t>(chunks.end - first, 0, kTileSlots));
  if (tile.begin >= tile.end || !span.scored) return;
  if (span.contiguous) {
    const int64_t fresh = chunks.lead + first_position_ - span.first_position - first;
    tile.fresh = static_cast<int32_t>(std::clamp<int64_t>(fresh, 0, kTileSlots));
  }
  for (int32_t sum = 0; sum < sum_count_; ++sum) {
    for (int32_t group = 0; group * kGroupSlots < tile.end; ++group) {
      tile.scores[group] = ScoresOf(place.span, place.tile * kTileGroups + group, sum);
    }
    UpdateScores(tile, decay_, sums + sum * kTileSlots);
  }
}

}  // namespace sluice::cpu
