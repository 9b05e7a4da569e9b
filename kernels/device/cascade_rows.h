// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernels of CascadeInsert know of the rows that they change, and where the parts
// of a row lie. Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/mass.h"
#include "kernels/core/number.h"
#include "kernels/core/ring.h"
#include "kernels/core/rows.h"
#include "kernels/core/swizzle.h"
#include "kernels/ops.h"

namespace sluice::device {

// Rows of an entry under a cascade whose pending chunk is inserted: some of the layer's kv
// heads, all of which change alike. Made by the host; those of a launch are in order.
struct CascadeRows {
  CascadeChanges changes;
  int32_t entry = 0;       // of the view
  int32_t first_head = 0;  // of the layer
  int32_t heads = 0;
  int32_t used_slots = 0;  // of the body, before
  int32_t used_after = 0;
  float decay = 1.0f;  // of the scores there are, over the whole chunk
  // What the rows before have, of all their heads.
  int64_t first_row = 0;
  int64_t first_change = 0;
  int64_t first_pending = 0;  // pending tokens
  int64_t first_page = 0;     // pages with scores to be brought up to date
};

// What the kernels of one launch share. Lists and scratch: of the device.
struct CascadeLaunch {
  PoolView pool;
  const ViewEntry* entries = nullptr;
  const CascadeRows* rows = nullptr;  // [row_sets]
  int32_t row_sets = 0;
  int32_t layer_first_row = 0;
  GroupReduce reduce = GroupReduce::kMean;
  int32_t sums = 1;  // a slot's pending sums
  int64_t row_count = 0;
  int64_t changes = 0;
  int64_t pages = 0;
  // Numbered as DecideCascade's sources, and the score of what moves: [changes] each, row by
  // row. `pending_scores`: [pending tokens].
  int32_t* sources = nullptr;
  float* scores = nullptr;
  float* pending_scores = nullptr;
};

// Pages over which an entry's scores change, body and tail, of a row.
struct ScorePages {
  int32_t body = 0;
  int32_t tail = 0;

  SLUICE_HD int32_t count() const { return body + tail; }
};

SLUICE_HD inline ScorePages ScorePagesOf(const PoolView& pool, const ViewEntry& entry,
                                         const CascadeRows& rows) {
  const int32_t page_size = pool.formats[entry.body_format].page.page_size;
  const int64_t tail_slots = entry.tail_start + rows.changes.count;
  return {(rows.used_slots + page_size - 1) / page_size,
          static_cast<int32_t>((tail_slots + page_size - 1) / page_size)};
}

// One row: the slots of its body by their numbers, then its pending tokens, which together
// are numbered as DecideCascade's sources are.
class CascadeRowView {
 public:
  struct Place {
    uint32_t page = kNoPage;
    int32_t slot = 0;
  };

  SLUICE_HD CascadeRowView(const PoolView& pool, const ViewEntry& entry, int32_t row,
                           int32_t sums)
      : pool_(pool), entry_(entry), body_(CascadeBody(pool, entry, row)), sums_(sums) {}

  SLUICE_HD const SpanFormat& format() const { return *body_.format; }
  SLUICE_HD const Span& body() const { return body_; }

  SLUICE_HD Place PlaceOf(int32_t source) const {
    const int32_t page_size = body_.format->page.page_size;
    const int32_t index = IndexOf(source);
    return {SpanOf(IsPending(source)).Page(index / page_size), index % page_size};
  }

  // The score, with the pending sums behind it a page's slots apart; null: none is kept.
  SLUICE_HD float* ScoreOf(int32_t source) const {
    const int32_t page_size = body_.format->page.page_size;
    const int32_t index = IndexOf(source);
    float* const scores = PageScores(IsPending(source), index / page_size);
    return scores == nullptr ? nullptr : scores + index % page_size;
  }

  // The planes of page `page` of the body or of the tail.
  SLUICE_HD float* PageScores(bool pending, int64_t page) const {
    return CascadeScores(pool_, entry_, SpanOf(pending), page, sums_);
  }

 private:
  SLUICE_HD bool IsPending(int32_t source) const { return source >= body_.slots; }

  // Of the slots from the first page's first one on.
  SLUICE_HD int32_t IndexOf(int32_t source) const {
    return IsPending(source) ? entry_.tail_start + source - static_cast<int32_t>(body_.slots)
                             : source;
  }

  SLUICE_HD Span SpanOf(bool pending) const {
    Span span = body_;
    if (pending) {
      span.block_list = reinterpret_cast<const uint32_t*>(pool_.tables + entry_.block_list_offset);
    }
    return span;
  }

  const PoolView& pool_;
  const ViewEntry& entry_;
  const Span body_;
  const int32_t sums_;
};

// The body slot of change number `change`.
SLUICE_HD inline int32_t BodySlotOf(const CascadeGeometry& geometry, const CascadeChanges& changes,
                                    int32_t change) {
  if (change < changes.sinks) return changes.first_sink + change;
  int32_t ring = 0;
  while (change >= changes.rings[ring].offset + changes.rings[ring].slots) ++ring;
  return ChangedSlot(geometry, changes, ring, change - changes.rings[ring].offset);
}

// Bytes of a slot on its way through scratch: the chunks of key and value, then one of its
// side arrays.
SLUICE_HD constexpr int64_t MovedSlotBytes(const PageFormat& format) {
  return int64_t{format.k_dim + format.v_dim} * DtypeBytes(format.dtype) + kChunkBytes;
}

}  // namespace sluice::device
