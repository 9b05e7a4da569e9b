// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_row.h"

namespace sluice::cpu {
namespace {

// Slots of the span below `position`. Positions below the first slot's are
// frequent (no slot is outside the window) and need no search.
int64_t CountBelow(const PoolView& pool, const Span& span, int64_t position) {
  if (SlotPosition(pool, span, 0) >= position) return 0;
  return SlotsBelow(pool, span, position);
}

}  // namespace

AttendRow::AttendRow(const PoolView& pool, const AttendEntry& entry, const LayerShape& layer,
                     int32_t kv_head)
    : pool_(&pool),
      tail_first_position_(entry.entry->tail_first_position),
      window_(layer.window),
      row_(MakeRow(pool, *entry.entry, layer.first_row + kv_head,
                   entry.first_position + entry.token_count)) {
  // By what the row holds when all of the entry's tokens are there, so that the
  // chunks are the same however the entry's tokens are divided into operations.
  const int64_t later_tokens = entry.entry->base_length + entry.entry->token_count -
                               entry.first_position - entry.token_count;
  chunk_slots_ = ChunkSlots(row_.slots + later_tokens);
  first_chunk_[0] = 0;
  for (int32_t span = 0; span < row_.span_count; ++span) {
    chunks_[span] = ChunksOf(row_.spans[span], chunk_slots_);
    first_chunk_[span + 1] = first_chunk_[span] + chunks_[span].count;
  }
}

SlotRange AttendRow::Visible(int32_t span_index, int64_t position) const {
  const Span& span = row_.spans[span_index];
  const int32_t lead = chunks_[span_index].lead;
  SlotRange range = {lead, chunks_[span_index].end};
  // A body lies below the tail as a whole.
  if (span.contiguous || position + 1 < tail_first_position_) {
    range.end = lead + SlotsBelow(*pool_, span, position + 1);
  }
  if (window_ > 0) range.begin = lead + CountBelow(*pool_, span, position - window_ + 1);
  return range;
}

SlotRange AttendRow::VisibleChunks(int64_t first_position, int64_t last_position) const {
  SlotRange result;
  bool any = false;
  for (int32_t span = 0; span < row_.span_count; ++span) {
    const auto [begin, end] = VisibleUnion(span, first_position, last_position);
    if (begin >= end) continue;
    if (!any) result.begin = FirstChunk(span) + begin / chunk_slots_;
    result.end = FirstChunk(span) + (end + chunk_slots_ - 1) / chunk_slots_;
    any = true;
  }
  return result;
}

}  // namespace sluice::cpu
