// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What an Attend does, in kernels' terms: its units of query rows, and the row of keys that
// a unit attends over, cut into canonical chunks and tiles.
//
// "Row" is an entry's (layer, kv head); a call's are numbered entry by entry. The query
// rows of a row are numbered token by token, and within a token by query head.

#include <cstdint>
#include <new>

#include "kernels/core/split.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/ops.h"

namespace sluice::device {

// Query rows that are worked on together: a unit has 1 .. 16 of one row, from a multiple of 16,
// or as many times 4 where kernels take units of kPrefillRows.
inline constexpr int32_t kUnitRows = 16;
inline constexpr int32_t kPrefillRows = 64;

// The tokens of one entry that a call attends for.
struct AttendEntry {
  int32_t entry = 0;           // of the view
  int32_t first_unit = 0;      // of its first row, among the call's units
  int64_t call_token = 0;      // of its first token, among the call's tokens
  int64_t token_count = 0;
  int64_t first_position = 0;  // of its first token, the true one
  int32_t unit_rows = kUnitRows;  // the most of its units
};

// Units of each row of an entry.
SLUICE_HD constexpr int32_t UnitsOfRow(const AttendEntry& entry, int32_t group) {
  return static_cast<int32_t>((entry.token_count * group + entry.unit_rows - 1) /
                              entry.unit_rows);
}

// A call, of which the rows [first_row, first_row + row_count) and their units are worked on.
// Those have units of one size.
struct AttendCall {
  PoolView pool;
  LayerShape layer;
  const ViewEntry* view_entries = nullptr;
  const AttendEntry* entries = nullptr;
  const void* q = nullptr;  // [tokens, q_heads, k_dim]
  Dtype dtype = Dtype::kF32;
  int32_t group = 1;  // query heads of a kv head
  int32_t first_row = 0;
  int32_t row_count = 0;
  int32_t first_unit = 0;
  int32_t unit_count = 0;

  SLUICE_HD const AttendEntry& EntryOf(int32_t row) const { return entries[row / layer.kv_heads]; }
  SLUICE_HD const ViewEntry& ViewEntryOf(int32_t row) const {
    return view_entries[EntryOf(row).entry];
  }
  // The first unit of a row, counted from first_unit.
  SLUICE_HD int32_t FirstUnit(int32_t row) const {
    const AttendEntry& entry = EntryOf(row);
    return entry.first_unit + row % layer.kv_heads * UnitsOfRow(entry, group) - first_unit;
  }
  // Query rows of a row.
  SLUICE_HD int64_t QueriesOf(int32_t row) const { return EntryOf(row).token_count * group; }
  // The number of query row `query` among all [tokens, q_heads] of the call.
  SLUICE_HD int64_t CallQuery(int32_t row, int32_t query) const {
    return (EntryOf(row).call_token + query / group) * layer.q_heads +
           row % layer.kv_heads * group + query % group;
  }
};

// A row with its chunks. Lies in shared memory.
struct RowTiles {
  union {
    Row row;
  };
  SpanChunks chunks[kMaxSpans];          // of its spans only
  int32_t first_chunks[kMaxSpans + 1];   // number of each span's first chunk
  int32_t chunk_slots;
  int32_t chunk_tiles;
  int64_t query_position;      // where the entry's first token of the call stands
  int64_t tail_first_position;

  SLUICE_HD int32_t chunk_count() const { return first_chunks[row.span_count]; }

  // Tiles of a span.
  SLUICE_HD int32_t TilesOf(int32_t span) const {
    return static_cast<int32_t>((chunks[span].end + kTileSlots - 1) / kTileSlots);
  }
};

// Finds row `row` of the call. The whole block; all its threads see it afterwards.
template <class Block>
SLUICE_HD void MakeRowTiles(Block& block, const AttendCall& call, int32_t row, RowTiles* tiles) {
  if (block.thread() == 0) {
    const AttendEntry& entry = call.EntryOf(row);
    const ViewEntry& view_entry = call.ViewEntryOf(row);
    const int64_t end = entry.first_position + entry.token_count;
    FillRow(call.pool, view_entry, call.layer.first_row + row % call.layer.kv_heads, end,
            new (&tiles->row) Row);
    // By what the row holds when all of the entry's tokens are there, so that the chunks
    // are the same however the entry's tokens are divided into operations.
    const int64_t later = view_entry.base_length + view_entry.token_count - end;
    tiles->chunk_slots = static_cast<int32_t>(ChunkSlots(tiles->row.slots + later));
    tiles->chunk_tiles = tiles->chunk_slots / kTileSlots;
    tiles->query_position = RowPosition(call.pool, view_entry, entry.first_position);
    tiles->tail_first_position = view_entry.tail_first_position;
    tiles->first_chunks[0] = 0;
    for (int32_t span = 0; span < tiles->row.span_count; ++span) {
      tiles->chunks[span] = ChunksOf(tiles->row.spans[span], tiles->chunk_slots);
      tiles->first_chunks[span + 1] = tiles->first_chunks[span] + tiles->chunks[span].count;
    }
  }
  block.Sync();
}

// Slots of a span, counted as in SpanChunks; begin >= end: none.
struct SlotRange {
  int32_t begin = 0;
  int32_t end = 0;
};

// What queries at positions from `first` to `last` see of a span, together.
SLUICE_HD inline SlotRange VisibleSlots(const AttendCall& call, const RowTiles& tiles,
                                        int32_t span_index, int64_t first, int64_t last) {
  const Span& span = tiles.row.spans[span_index];
  const SpanChunks& chunks = tiles.chunks[span_index];
  SlotRange range = {chunks.lead, static_cast<int32_t>(chunks.end)};
  // A body lies below the tail as a whole.
  if (span.contiguous || last + 1 < tiles.tail_first_position) {
    range.end = chunks.lead + static_cast<int32_t>(SlotsBelow(call.pool, span, last + 1));
  }
  const int64_t lowest = call.layer.window > 0 ? first - call.layer.window + 1 : 0;
  if (lowest > 0) {
    range.begin = chunks.lead + static_cast<int32_t>(SlotsBelow(call.pool, span, lowest));
  }
  return range;
}

}  // namespace sluice::device
