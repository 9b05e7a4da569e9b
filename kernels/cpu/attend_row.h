// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/rows.h"
#include "kernels/core/split.h"
#include "kernels/core/view.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// The tokens of one entry that a call attends for.
struct AttendEntry {
  const ViewEntry* entry = nullptr;
  int64_t token_count = 0;
  int64_t call_token = 0;      // of the first one, among the call's tokens
  int64_t first_position = 0;  // its true position
  int64_t row_position = 0;    // where it stands among the positions of its rows
  int32_t sum_count = 1;       // sums of mass a slot: PendingSums under a cascade
  bool cascade = false;
};

// Slots of a span, counted as in SpanChunks.
struct SlotRange {
  int64_t begin = 0;
  int64_t end = 0;

  // Whether some of them lie in a tile.
  bool Meets(int64_t tile) const {
    return begin < end && begin < (tile + 1) * kTileSlots && tile * kTileSlots < end;
  }
};

// What the query rows of an entry attend over for one kv head: its spans, cut
// into canonical chunks, which are numbered through its spans.
class AttendRow {
 public:
  AttendRow(const PoolView& pool, const AttendEntry& entry, const LayerShape& layer,
            int32_t kv_head);

  const Row& row() const { return row_; }
  const SpanChunks& chunks(int32_t span) const { return chunks_[span]; }
  int64_t chunk_slots() const { return chunk_slots_; }
  int64_t chunk_tiles() const { return chunk_slots_ / kTileSlots; }
  int32_t chunk_count() const { return first_chunk_[row_.span_count]; }

  // The span that chunk `chunk` lies in; the first of a row without slots.
  int32_t SpanOf(int32_t chunk) const {
    int32_t span = 0;
    while (span + 1 < row_.span_count && chunk >= first_chunk_[span + 1]) ++span;
    return span;
  }
  // The number of a span's first chunk.
  int32_t FirstChunk(int32_t span) const { return first_chunk_[span]; }

  // The slots of `span` that a query at `position` sees; begin >= end: none.
  SlotRange Visible(int32_t span, int64_t position) const;

  // What queries from `first_position` to `last_position` see, together.
  SlotRange VisibleUnion(int32_t span, int64_t first_position, int64_t last_position) const {
    return {Visible(span, first_position).begin, Visible(span, last_position).end};
  }

  // The chunks that hold what queries from `first_position` to `last_position` see.
  SlotRange VisibleChunks(int64_t first_position, int64_t last_position) const;

 private:
  const PoolView* pool_;
  int64_t tail_first_position_;
  int32_t window_;
  int64_t chunk_slots_ = 0;
  Row row_;
  // Of the row's spans only.
  union {
    SpanChunks chunks_[kMaxSpans];
  };
  int32_t first_chunk_[kMaxSpans + 1];
};

}  // namespace sluice::cpu
