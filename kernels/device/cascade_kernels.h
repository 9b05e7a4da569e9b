// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of CascadeInsert (ops.h), launched in this order: the pending sums become scores;
// what each slot is to hold is decided from scores and slot numbers alone; then the slots
// that change are taken to scratch, and brought from there to their places.

#include "kernels/device/block.h"
#include "kernels/device/cascade_rows.h"
#include "kernels/device/item_search.h"

namespace sluice::device {

// A warp adds the pending sums of a page of a row to its scores.
struct AddPendingKernel {
  CascadeLaunch launch;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    ForEachOfWarp(block, launch.pages, [&](int64_t item) {
      const CascadeRows& rows =
          RecordOf(launch.rows, launch.row_sets, item,
                   [](const CascadeRows& record) { return record.first_page; });
      const ViewEntry& entry = launch.entries[rows.entry];
      const ScorePages pages = ScorePagesOf(launch.pool, entry, rows);
      const int64_t within = item - rows.first_page;
      const auto head = static_cast<int32_t>(within / pages.count());
      const CascadeRowView row(launch.pool, entry,
                               launch.layer_first_row + rows.first_head + head, launch.sums);
      AddPage(block, rows, row, pages, static_cast<int32_t>(within % pages.count()));
    });
  }

 private:
  template <class Block>
  SLUICE_HD void AddPage(Block& block, const CascadeRows& rows, const CascadeRowView& row,
                         const ScorePages& pages, int32_t index) const {
    const bool pending = index >= pages.body;
    const int32_t page = pending ? index - pages.body : index;
    float* const scores = row.PageScores(pending, page);
    if (scores == nullptr) return;
    const ViewEntry& entry = launch.entries[rows.entry];
    const int32_t page_size = row.format().page.page_size;
    const int64_t begin =
        pending ? entry.tail_start : CascadeOf(launch.pool, entry)->sinks;
    const int64_t end = pending ? entry.tail_start + rows.changes.count : rows.used_slots;
    const float decay = pending ? 0.0f : rows.decay;
    for (int32_t i = block.lane(); i < page_size; i += kWarpThreads) {
      const int64_t slot = int64_t{page} * page_size + i;
      if (slot < begin || slot >= end) continue;
      float* const sums = scores + page_size + i;
      const float added = ReducePending(sums, page_size, launch.sums, launch.reduce);
      scores[i] = (decay == 0.0f ? 0.0f : decay * scores[i]) + added;
      for (int32_t k = 0; k < launch.sums; ++k) sums[k * page_size] = 0.0f;
    }
  }
};

// A block decides a row. What is offered passes from ring to ring as from lane to lane: lane
// i does for ring i what DecideCascade does, of the token i before that of lane 0.
struct DecideCascadeKernel {
  CascadeLaunch launch;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t item = block.index(); item < launch.row_count; item += block.count()) {
      const CascadeRows& rows =
          RecordOf(launch.rows, launch.row_sets, item,
                   [](const CascadeRows& record) { return record.first_row; });
      const auto head = static_cast<int32_t>(item - rows.first_row);
      const int64_t first_change = rows.first_change + int64_t{head} * rows.changes.slots;
      const Places places{launch.sources + first_change, launch.scores + first_change,
                          launch.pending_scores + rows.first_pending + head * rows.changes.count};
      const CascadeRowView row(launch.pool, launch.entries[rows.entry],
                               launch.layer_first_row + rows.first_head + head, launch.sums);
      SetPlaces(block, rows, row, places);
      ClearReachedPages(block, rows, row);
      block.Sync();
      if (block.thread() < kWarpThreads) Decide(block, rows, places);
      block.Sync();
    }
  }

 private:
  // Of one row.
  struct Places {
    int32_t* sources;
    float* scores;
    float* pending_scores;
  };

  // What is on its way to a ring.
  struct Offered {
    int32_t source = -1;  // -1: nothing
    float score = 0.0f;
  };

  template <class Block>
  static SLUICE_HD Offered FromLaneBefore(Block& block, const Offered& offered) {
    const uint64_t bits = uint64_t{static_cast<uint32_t>(offered.source)} << 32 |
                          FloatBits(offered.score);
    const uint64_t got = block.Shuffle(bits, (block.lane() + kWarpThreads - 1) % kWarpThreads);
    return {static_cast<int32_t>(got >> 32), FloatFromBits(static_cast<uint32_t>(got))};
  }

  // Every changed slot holds its own content at first, a sink its token.
  template <class Block>
  SLUICE_HD void SetPlaces(Block& block, const CascadeRows& rows, const CascadeRowView& row,
                           const Places& places) const {
    const CascadeGeometry& geometry = *CascadeOf(launch.pool, launch.entries[rows.entry]);
    const CascadeChanges& changes = rows.changes;
    ForEachOfBlock(block, changes.slots, [&](int64_t i) {
      const auto change = static_cast<int32_t>(i);
      const int32_t slot = BodySlotOf(geometry, changes, change);
      const bool sink = change < changes.sinks;
      const int32_t source = sink ? geometry.body_slots() + change : slot;
      const bool scored = sink || slot < rows.used_slots;
      const float* const score = scored ? row.ScoreOf(source) : nullptr;
      places.sources[change] = source;
      places.scores[change] = score == nullptr ? 0.0f : *score;
    });
    ForEachOfBlock(block, changes.count, [&](int64_t token) {
      const float* const score =
          row.ScoreOf(geometry.body_slots() + static_cast<int32_t>(token));
      places.pending_scores[token] = score == nullptr ? 0.0f : *score;
    });
  }

  template <class Block>
  SLUICE_HD void Decide(Block& block, const CascadeRows& rows, const Places& places) const {
    const CascadeGeometry& geometry = *CascadeOf(launch.pool, launch.entries[rows.entry]);
    const CascadeChanges& changes = rows.changes;
    const int32_t ring = block.lane();
    const bool has_ring = ring < geometry.ring_count;
    RingState state;
    CascadeRing rule;
    CascadeChanges::Run run;
    if (has_ring) {
      state = RingAfter(geometry, ring, changes.first_token);
      rule = geometry.rings[ring];
      run = changes.rings[ring];
    }
    // Copies: the geometry lies in host memory, and what is stored below might change it.
    const int32_t ring_slots = geometry.ring_slots;
    const int32_t first_pending = geometry.body_slots();
    const int64_t first_x = changes.first_token - geometry.sinks;
    const auto count = static_cast<int32_t>(changes.count);
    const int32_t sinks = changes.sinks;
    const int32_t steps = count - sinks + geometry.ring_count - 1;
    Offered offered;
    for (int32_t step = 0; step < steps; ++step) {
      const int32_t token = sinks + step - ring;
      offered = FromLaneBefore(block, offered);
      if (ring == 0) {
        offered = Offered();
        if (token < count) {
          offered = {first_pending + token, places.pending_scores[token]};
        }
      }
      if (!has_ring || offered.source < 0) {
        offered = Offered();
        continue;
      }
      offered = Take(OfferToRing(rule, run, ring_slots, first_x + token, &state), offered, places);
    }
  }

  // Returns what goes on to the next ring.
  static SLUICE_HD Offered Take(const RingOffer& offer, const Offered& offered,
                                const Places& places) {
    const Offered holder{places.sources[offer.change], places.scores[offer.change]};
    if (offer.accepted || ChallengerWins(offered.score, holder.score)) {
      places.sources[offer.change] = offered.source;
      places.scores[offer.change] = offered.score;
    }
    return offer.displaces ? holder : Offered();
  }

  // Those whose first slot is used from now on.
  template <class Block>
  SLUICE_HD void ClearReachedPages(Block& block, const CascadeRows& rows,
                                   const CascadeRowView& row) const {
    const SpanFormat& format = row.format();
    const int32_t page_size = format.page.page_size;
    const int32_t end = (rows.used_after + page_size - 1) / page_size;
    for (int32_t i = (rows.used_slots + page_size - 1) / page_size; i < end; ++i) {
      const uint32_t page = row.body().Page(i);
      auto* const chunks = reinterpret_cast<Vector16*>(PageData(launch.pool, format.slab, page));
      ForEachOfBlock(block, format.slab.page_bytes / kChunkBytes,
                     [&](int64_t chunk) { chunks[chunk] = Vector16(); });
      ForEachOfBlock(block, page_size, [&](int64_t slot) {
        PagePositions(launch.pool, format.slab, page)[slot] = 0;
        PageLogMass(launch.pool, format.slab, page)[slot] = 0.0f;
        PageKeyNorms(launch.pool, format.slab, page)[slot] = 0.0f;
      });
      if (block.thread() == 0) *PageFlags(launch.pool, format.slab, page) = 0;
    }
  }
};

// Where the change that an item is comes from and goes to. Items go through the changes of a
// row from the last one to the first: content moves to rings behind its own only, so that
// items may be cut into launches anywhere.
struct CascadeMove {
  const CascadeRows& rows;
  int32_t row = 0;  // of the model
  int32_t slot = 0;
  int32_t source = 0;
  float score = 0.0f;
};

SLUICE_HD inline CascadeMove CascadeMoveOf(const CascadeLaunch& launch, int64_t item) {
  const CascadeRows& rows =
      RecordOf(launch.rows, launch.row_sets, item,
               [](const CascadeRows& record) { return record.first_change; });
  const CascadeChanges& changes = rows.changes;
  const int64_t within = item - rows.first_change;
  const int64_t head = within / changes.slots;
  const auto change = static_cast<int32_t>(changes.slots - 1 - within % changes.slots);
  const int64_t number = rows.first_change + head * changes.slots + change;
  const CascadeGeometry& geometry = *CascadeOf(launch.pool, launch.entries[rows.entry]);
  return {rows, launch.layer_first_row + rows.first_head + static_cast<int32_t>(head),
          BodySlotOf(geometry, changes, change), launch.sources[number], launch.scores[number]};
}

// The side arrays of a slot on its way.
struct alignas(16) MovedSides {
  int32_t position = 0;
  float log_mass = 0.0f;
  float key_norm = 0.0f;
  uint32_t unused = 0;
};

// Chunk `chunk` of a slot's key and value, both in order.
SLUICE_HD inline Vector16* SlotChunk(const PoolView& pool, const SpanFormat& format,
                                     const CascadeRowView::Place& place, int32_t chunk) {
  const PageFormat& page = format.page;
  std::byte* const data = PageData(pool, format.slab, place.page);
  const SwizzledTile keys = MakeSwizzledTile(page.page_size, page.k_dim, page.dtype);
  if (chunk < ChunksOfRow(keys)) {
    return reinterpret_cast<Vector16*>(data + SwizzledChunk(keys, place.slot, chunk));
  }
  const SwizzledTile values = MakeSwizzledTile(page.page_size, page.v_dim, page.dtype);
  return reinterpret_cast<Vector16*>(
      data + KTileBytes(page) + SwizzledChunk(values, place.slot, chunk - ChunksOfRow(keys)));
}

// Chunks of a slot's keys and values: what is moved before its sides.
SLUICE_HD inline int32_t MovedChunks(const PageFormat& page) {
  return static_cast<int32_t>(MovedSlotBytes(page) / kChunkBytes) - 1;
}

// Calls function(item, move, row) by a warp each, for the items whose slot changes.
template <class Block, class Function>
SLUICE_HD void ForEachMovedSlot(Block& block, const CascadeLaunch& launch, int64_t first,
                                int64_t count, const Function& function) {
  ForEachOfWarp(block, count, [&](int64_t item) {
    const CascadeMove move = CascadeMoveOf(launch, first + item);
    if (move.source == move.slot) return;
    function(item, move,
             CascadeRowView(launch.pool, launch.entries[move.rows.entry], move.row, launch.sums));
  });
}

// A warp takes a slot to scratch.
struct TakeCascadeSlotsKernel {
  CascadeLaunch launch;
  int64_t first = 0;  // of the items
  int64_t count = 0;
  std::byte* scratch = nullptr;  // [count, slot_bytes]
  int64_t slot_bytes = 0;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    ForEachMovedSlot(block, launch, first, count, [&](int64_t item, const CascadeMove& move,
                                                      const CascadeRowView& row) {
      const CascadeRowView::Place place = row.PlaceOf(move.source);
      const SpanFormat& format = row.format();
      auto* const to = reinterpret_cast<Vector16*>(scratch + item * slot_bytes);
      const int32_t chunks = MovedChunks(format.page);
      for (int32_t chunk = block.lane(); chunk < chunks; chunk += kWarpThreads) {
        to[chunk] = *SlotChunk(launch.pool, format, place, chunk);
      }
      if (block.lane() != 0) return;
      const SlabLayout& slab = format.slab;
      *reinterpret_cast<MovedSides*>(to + chunks) = {
          PagePositions(launch.pool, slab, place.page)[place.slot],
          PageLogMass(launch.pool, slab, place.page)[place.slot],
          PageKeyNorms(launch.pool, slab, place.page)[place.slot], 0};
    });
  }
};

// A warp brings a slot from scratch to its place, with its score and pending sums of 0.
struct PutCascadeSlotsKernel {
  CascadeLaunch launch;
  int64_t first = 0;  // as they were taken
  int64_t count = 0;
  const std::byte* scratch = nullptr;
  int64_t slot_bytes = 0;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    ForEachMovedSlot(block, launch, first, count, [&](int64_t item, const CascadeMove& move,
                                                      const CascadeRowView& row) {
      const CascadeRowView::Place place = row.PlaceOf(move.slot);
      const SpanFormat& format = row.format();
      const auto* const from = reinterpret_cast<const Vector16*>(scratch + item * slot_bytes);
      const int32_t chunks = MovedChunks(format.page);
      for (int32_t chunk = block.lane(); chunk < chunks; chunk += kWarpThreads) {
        *SlotChunk(launch.pool, format, place, chunk) = from[chunk];
      }
      if (block.lane() == 0) {
        PutSides(block, format.slab, place, *reinterpret_cast<const MovedSides*>(from + chunks));
      }
      PutScore(block, row, move);
    });
  }

 private:
  template <class Block>
  SLUICE_HD void PutSides(Block& block, const SlabLayout& slab,
                          const CascadeRowView::Place& place, const MovedSides& sides) const {
    PagePositions(launch.pool, slab, place.page)[place.slot] = sides.position;
    PageLogMass(launch.pool, slab, place.page)[place.slot] = sides.log_mass;
    PageKeyNorms(launch.pool, slab, place.page)[place.slot] = sides.key_norm;
    if (sides.log_mass != 0.0f) {
      block.AtomicOr(PageFlags(launch.pool, slab, place.page), kPageHasMass);
    }
  }

  template <class Block>
  SLUICE_HD void PutScore(Block& block, const CascadeRowView& row, const CascadeMove& move) const {
    float* const score = row.ScoreOf(move.slot);
    if (score == nullptr) return;
    const int64_t page_size = row.format().page.page_size;
    for (int32_t i = block.lane(); i <= launch.sums; i += kWarpThreads) {
      score[i * page_size] = i == 0 ? move.score : 0.0f;
    }
  }
};

}  // namespace sluice::device
