// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Derives a row (what one query group attends over) from a step's view.

#include "kernels/core/ring.h"
#include "kernels/core/view.h"

namespace sluice {

// A run of slots of one row in one format, addressed through a list of pages.
//
// Slot i of the span (0 <= i < slots) lies in page `Page(i / page_size)` after
// adding first_slot. A scattered span reads positions from the side array
// (they ascend); a contiguous one has slot i at first_position + i.
struct Span {
  // Body: the row's page ids; null for a list of blocks, the tail's or a cascade's body.
  const uint32_t* page_ids = nullptr;
  const uint32_t* block_list = nullptr;   // word index of each block's page ids in tables
  const uint32_t* table_words = nullptr;  // the table segment as words
  int32_t row = 0;                       // of the model: (layer, kv head)
  int32_t first_slot = 0;                // slots of its first pages before the span
  int64_t slots = 0;
  int64_t first_position = 0;            // of slot 0, contiguous spans only
  const SpanFormat* format = nullptr;
  bool contiguous = true;                // positions ascend by 1 from first_position
  bool scored = true;                    // accumulated scores are kept of it (sinks have none)

  // The id of the span's page number `index` (counted from its first page).
  SLUICE_HD uint32_t Page(int64_t index) const {
    return page_ids != nullptr ? page_ids[index] : table_words[block_list[index] + static_cast<uint32_t>(row)];
  }
};

// Body and tail; under a cascade the body's pieces, then the tail.
inline constexpr int32_t kMaxSpans = kMaxCascadePieces + 1;

// Body first, then tail; slots of a row are numbered through its spans, and
// their positions ascend.
struct Row {
  // Only the first span_count are set: rows are made too often to clear them all.
  union {
    Span spans[kMaxSpans];
  };
  int32_t span_count = 0;
  int64_t slots = 0;

  SLUICE_HD Row() {}

  SLUICE_HD void Add(const Span& span) {
    spans[span_count++] = span;
    slots += span.slots;
  }
};

// The cascade of an entry; null: it has none.
SLUICE_HD inline const CascadeGeometry* CascadeOf(const PoolView& pool, const ViewEntry& entry) {
  if (entry.cascade_offset == kNoOffset) return nullptr;
  return reinterpret_cast<const CascadeGeometry*>(pool.tables + entry.cascade_offset);
}

// Where the token at true position p >= tail_first_position stands among the
// positions of its rows: at p, and under a cascade behind the slots in use.
SLUICE_HD inline int64_t RowPosition(const PoolView& pool, const ViewEntry& entry, int64_t p) {
  const CascadeGeometry* cascade = CascadeOf(pool, entry);
  if (cascade == nullptr) return p;
  return CascadeSlots(*cascade, entry.tail_first_position) + p - entry.tail_first_position;
}

// All slots of a cascade's body by their numbers. REQUIRES: the entry has a cascade.
SLUICE_HD inline Span CascadeBody(const PoolView& pool, const ViewEntry& entry, int32_t row) {
  Span span;
  span.block_list = reinterpret_cast<const uint32_t*>(pool.tables + entry.body_list_offset);
  span.table_words = reinterpret_cast<const uint32_t*>(pool.tables);
  span.row = row;
  span.slots = CascadeOf(pool, entry)->body_slots();
  span.format = pool.formats + entry.body_format;
  return span;
}

// Adds the pieces of a cascade's body in the order of their cache positions.
SLUICE_HD inline void AddCascade(const CascadeGeometry& geometry, int64_t tokens, Span span,
                                 Row* row) {
  for (int32_t i = 0; i <= 2 * geometry.ring_count; ++i) {
    const CascadePiece piece = CascadePieceAt(geometry, tokens, i);
    if (piece.slots == 0) continue;
    span.first_slot = piece.first_slot;
    span.slots = piece.slots;
    span.first_position = row->slots;
    span.scored = i > 0;
    row->Add(span);
  }
}

// Makes `result` the row of `row` (its number in the model) for an entry, holding every
// slot with a true position below `end_position`; REQUIRES end_position >=
// tail_first_position, so that the whole body is in it. Empty spans are left out. Under a
// cascade the positions of its spans are cache positions. `result` has no spans yet.
SLUICE_HD inline void FillRow(const PoolView& pool, const ViewEntry& entry, int32_t row,
                              int64_t end_position, Row* result) {
  const auto* words = reinterpret_cast<const uint32_t*>(pool.tables);
  if (const CascadeGeometry* cascade = CascadeOf(pool, entry)) {
    AddCascade(*cascade, entry.tail_first_position, CascadeBody(pool, entry, row), result);
  } else if (entry.bodies_offset != kNoOffset) {
    const auto* bodies =
        reinterpret_cast<const BodiesRecord*>(pool.tables + entry.bodies_offset);
    const auto* rows = reinterpret_cast<const BodyRow*>(bodies + 1);
    const auto* page_ids = reinterpret_cast<const uint32_t*>(rows + bodies->row_count);
    Span span;
    span.page_ids = page_ids + rows[row].first_page;
    span.row = row;
    span.slots = rows[row].slots;
    span.format = pool.formats + entry.body_format;
    if (span.slots > 0) {
      span.contiguous = false;
      result->Add(span);
    }
  }
  if (end_position > entry.tail_first_position) {
    Span span;
    span.block_list = reinterpret_cast<const uint32_t*>(pool.tables + entry.block_list_offset);
    span.table_words = words;
    span.row = row;
    span.first_slot = entry.tail_start;
    span.slots = end_position - entry.tail_first_position;
    span.first_position = RowPosition(pool, entry, entry.tail_first_position);
    span.format = pool.formats + entry.tail_format;
    result->Add(span);
  }
}

// The same as a value, which is large: kernels for devices fill one in shared memory.
SLUICE_HD inline Row MakeRow(const PoolView& pool, const ViewEntry& entry, int32_t row,
                             int64_t end_position) {
  Row result;
  FillRow(pool, entry, row, end_position, &result);
  return result;
}

// Position of slot `slot` of `span`: its token's true one, or where the row is a
// cascade's, where it stands in the cache.
SLUICE_HD inline int64_t SlotPosition(const PoolView& pool, const Span& span, int64_t slot) {
  if (span.contiguous) return span.first_position + slot;
  const int64_t index = span.first_slot + slot;
  const int32_t page_size = span.format->page.page_size;
  return PagePositions(pool, span.format->slab, span.Page(index / page_size))[index % page_size];
}

// How many slots of `span` have a true position below `position`.
SLUICE_HD inline int64_t SlotsBelow(const PoolView& pool, const Span& span, int64_t position) {
  if (span.contiguous) {
    const int64_t count = position - span.first_position;
    return count < 0 ? 0 : (count > span.slots ? span.slots : count);
  }
  int64_t low = 0;
  int64_t high = span.slots;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (SlotPosition(pool, span, middle) < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace sluice
