// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_mass.h"

#include <algorithm>

#include "kernels/core/layout.h"
#include "kernels/core/mass.h"
#include "kernels/cpu/attend_kernel.h"

namespace sluice::cpu {
namespace {

// Pages have a power of two of groups: 1, 2 or 4.
int32_t PageShift(const PageFormat& format) {
  return __builtin_ctz(static_cast<uint32_t>(format.page_size / kGroupSlots));
}

}  // namespace

TileRun TilesOfSpan(const AttendRow& row, int32_t span, int64_t first, int64_t last) {
  const int64_t before = row.FirstChunk(span) * row.chunk_tiles();
  const int64_t tiles = (row.chunks(span).end + kTileSlots - 1) / kTileSlots;
  return {std::clamp<int64_t>(first - before, 0, tiles),
          std::clamp<int64_t>(last - before, 0, tiles)};
}

SpanScores::SpanScores(const PoolView& pool, const AttendArgs& args, const AttendEntry& entry,
                       const AttendRow& row, int32_t span_index)
    : pool_(pool),
      chunks_(row.chunks(span_index)),
      decay_(DecayPower(args.mass.decay, entry.token_count)),
      sum_count_(entry.sum_count),
      page_shift_(PageShift(row.row().spans[span_index].format->page)) {
  const Span& span = row.row().spans[span_index];
  if (!span.scored) return;
  // Under a cascade the sums of a page lie behind its scores.
  const int64_t page_size = span.format->page.page_size;
  const int64_t sums_offset = entry.cascade ? page_size : 0;
  page_floats_ = page_size * sum_count_ + sums_offset;
  fresh_ = span.contiguous ? chunks_.lead + entry.row_position - span.first_position : chunks_.end;
  if (span.page_ids == nullptr) {
    const uint64_t list = ScoreListOf(pool, *entry.entry, span);
    if (list == kNoOffset) return;
    offsets_ = reinterpret_cast<const uint64_t*>(pool.tables + list);
    row_offset_ = span.row * page_floats_ + sums_offset;
  } else {
    pages_ = BodyScores(pool, *entry.entry, span.row);
  }
}

void SpanScores::Prefetch(const TileRun& tiles) const {
  if (tiles.first >= tiles.last) return;
  const int64_t end_group = std::min(tiles.last * kTileGroups,
                                     (chunks_.end + kGroupSlots - 1) / kGroupSlots);
  const int64_t first = (chunks_.first_group + tiles.first * kTileGroups) >> page_shift_;
  const int64_t last = (chunks_.first_group + end_group - 1) >> page_shift_;
  const int32_t groups = sum_count_ << page_shift_;
  for (int64_t page = first; page <= last; ++page) {
    const float* scores = Page(page);
    for (int32_t i = 0; i < groups; ++i) __builtin_prefetch(scores + i * kGroupSlots, 1, 2);
  }
}

void SpanScores::Update(int64_t tile_number, const float* sums) const {
  const int64_t first = tile_number * kTileSlots;
  ScoreTile tile;
  tile.begin = static_cast<int32_t>(std::max<int64_t>(0, chunks_.lead - first));
  tile.end = static_cast<int32_t>(std::clamp<int64_t>(chunks_.end - first, 0, kTileSlots));
  tile.fresh = static_cast<int32_t>(std::clamp<int64_t>(fresh_ - first, 0, kTileSlots));
  const int64_t first_group = chunks_.first_group + tile_number * kTileGroups;
  for (int32_t group = 0; group * kGroupSlots < tile.end; ++group) {
    const int64_t page = (first_group + group) >> page_shift_;
    const int64_t group_of_page = first_group + group - (page << page_shift_);
    tile.scores[group] = Page(page) + group_of_page * kGroupSlots;
  }
  const int64_t page_size = int64_t{kGroupSlots} << page_shift_;
  for (int32_t sum = 0; sum < sum_count_; ++sum) {
    UpdateScores(tile, decay_, sums + sum * kTileSlots);
    for (float*& scores : tile.scores) {
      if (scores != nullptr) scores += page_size;
    }
  }
}

}  // namespace sluice::cpu
