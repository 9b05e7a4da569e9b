// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Accumulated attention mass (MassRule of ops.h), behind the Attend that left the
// log-sum-exp of its query rows. A block has a tile of 64 keys, computes the logits of all query
// rows again, in their order, and adds to the scores: each slot's sum has one owner.

#include <math.h>

#include <cstdint>

#include "kernels/core/mass.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/block.h"
#include "kernels/device/item_search.h"
#include "kernels/device/query_tiles.h"

namespace sluice::device {

template <Dtype kDtype>
struct MassKernel {
  UnitTiles<kDtype> tiles;
  AttendPlan plan;
  MassRule rule;

  static constexpr int32_t kThreads = kUnitThreads;

  // Floats of a block's sums: [16, 64], of each query head of a kv head or of all.
  static constexpr int32_t kSumFloats = kUnitRows * kTileSlots;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t rows = tiles.call.row_count;
    for (int64_t i = block.index(); i < plan.first_tiles[rows]; i += block.count()) {
      const int32_t& first =
          RecordOf(plan.first_tiles, rows, i, [](int32_t tile) { return tile; });
      RunTile(block, tiles.call.first_row + static_cast<int32_t>(&first - plan.first_tiles),
              static_cast<int32_t>(i) - first);
      block.Sync();
    }
  }

 private:
  // A tile of a row.
  struct Tile {
    int32_t row = 0;
    int32_t span = 0;
    int32_t tile = 0;
    int32_t sums = 1;  // kept for each slot
  };

  template <class Block>
  SLUICE_HD void RunTile(Block& block, int32_t row, int32_t number) const {
    UnitState& state = State(block);
    MakeRowTiles(block, tiles.call, row, &state.tiles);
    const Tile tile = FindTile(state.tiles, row, number);
    const SpanChunks& chunks = state.tiles.chunks[tile.span];
    if (ScoresAt(state.tiles, tile, chunks.lead) == nullptr) return;
    LoadKeys(block, tile);
    ForEachOfBlock(block, kTileSlots * tile.sums,
                   [&](int64_t i) { Sums(block)[i] = 0.0f; });
    const int64_t queries = tiles.call.QueriesOf(row);
    for (int64_t first = 0; first < queries; first += kUnitRows) {
      const int64_t left = queries - first;
      AddUnit(block, tile, static_cast<int32_t>(first),
              static_cast<int32_t>(left < kUnitRows ? left : kUnitRows));
    }
    block.Sync();
    UpdateScores(block, tile);
  }

  SLUICE_HD Tile FindTile(const RowTiles& row_tiles, int32_t row, int32_t number) const {
    Tile tile;
    tile.row = row;
    tile.tile = number;
    while (tile.tile >= row_tiles.TilesOf(tile.span)) tile.tile -= row_tiles.TilesOf(tile.span++);
    if (tiles.call.ViewEntryOf(row).cascade_offset != kNoOffset) {
      tile.sums = PendingSums(rule.reduce, tiles.call.group);
    }
    return tile;
  }

  // The sum that the call adds to of a slot, counted as in SpanChunks; the others of the
  // slot follow page_size floats apart. Null: none are kept.
  SLUICE_HD float* ScoresAt(const RowTiles& row_tiles, const Tile& tile, int64_t slot) const {
    const AttendCall& call = tiles.call;
    const ViewEntry& entry = call.ViewEntryOf(tile.row);
    const Span& span = row_tiles.row.spans[tile.span];
    if (!span.scored) return nullptr;
    const SpanChunks& chunks = row_tiles.chunks[tile.span];
    const int64_t index = chunks.first_group * kGroupSlots + slot;
    const int32_t page_size = span.format->page.page_size;
    if (span.page_ids != nullptr) {
      float* const scores = BodyScores(call.pool, entry, span.row);
      return scores == nullptr ? nullptr : scores + index;
    }
    if (entry.cascade_offset != kNoOffset) {
      float* const planes =
          CascadeScores(call.pool, entry, span, index / page_size, tile.sums);
      return planes == nullptr ? nullptr : planes + page_size + index % page_size;
    }
    float* const scores = TailScores(call.pool, entry, span.row, index / page_size);
    return scores == nullptr ? nullptr : scores + index % page_size;
  }

  // Brings the tile's keys to shared memory, with what is noted of them.
  template <class Block>
  SLUICE_HD void LoadKeys(Block& block, const Tile& tile) const {
    UnitState& state = State(block);
    TilePlace& place = state.places[0];
    const Span& span = state.tiles.row.spans[tile.span];
    const SpanChunks& chunks = state.tiles.chunks[tile.span];
    if (block.thread() < kTileGroups) {
      LocateGroup(tiles.call.pool, span, chunks, tile.tile, chunks.lead, chunks.end,
                  block.thread(), &place);
    }
    block.Sync();
    CopyTile(block, place, KeyTileShape(span.format->page), block.shared() + tiles.layout.keys);
    block.CommitCopies();
    NoteSlots(block, tiles.call, tile.span, tile.tile, place, &state);
    block.template WaitCopies<0>();
    block.Sync();
    tiles.PrepareKeys(block, tile.row);
    block.Sync();
  }

  // Adds the mass of a unit's query rows.
  template <class Block>
  SLUICE_HD void AddUnit(Block& block, const Tile& tile, int32_t first_query,
                         int32_t queries) const {
    UnitState& state = State(block);
    const int64_t last =
        state.tiles.query_position + (first_query + queries - 1) / tiles.call.group;
    const int32_t first_slot = state.places[0].begin;
    if (last < state.key_positions[first_slot]) return;  // positions ascend
    tiles.LoadQueries(block, tile.row, first_query, queries, LogitFactor(tiles.call.layer));
    NoteRows(block, tile.row, first_query, queries);
    block.Sync();
    tiles.WriteDots(block, tile.row, queries, tile.span, tile.tile);
    block.Sync();
    float* const weights = UnitTiles<kDtype>::Floats(block, tiles.layout.weights);
    ForEachOfBlock(block, kTileSlots * queries, [&](int64_t i) {
      const auto query = static_cast<int32_t>(i / kTileSlots);
      const auto slot = static_cast<int32_t>(i % kTileSlots);
      float& weight = weights[query * kWeightStride + slot];
      const float logit = tiles.Logit(state, query, slot, weight);
      weight = logit == -HUGE_VALF
                   ? 0.0f
                   : state.factors[query] * MassTerm(rule, exp2f(logit - state.sum[query]));
    });
    block.Sync();
    ForEachOfBlock(block, kTileSlots, [&](int64_t slot) {
      for (int32_t query = 0; query < queries; ++query) {
        const int32_t sum = tile.sums == 1 ? 0 : (first_query + query) % tile.sums;
        Sums(block)[sum * kTileSlots + slot] += weights[query * kWeightStride + slot];
      }
    });
    block.Sync();
  }

  // What query rows count, and their log-sum-exp.
  template <class Block>
  SLUICE_HD void NoteRows(Block& block, int32_t row, int32_t first_query, int32_t queries) const {
    UnitState& state = State(block);
    const AttendEntry& entry = tiles.call.EntryOf(row);
    const int64_t first =
        int64_t{tiles.call.FirstUnit(row)} * entry.unit_rows + first_query;
    ForEachOfBlock(block, queries, [&](int64_t i) {
      const int64_t token = (first_query + i) / tiles.call.group;
      state.sum[i] = plan.log_sums[first + i];
      state.factors[i] =
          MassWeight(rule, token, entry.token_count) * GroupFactor(rule, tiles.call.group);
    });
  }

  template <class Block>
  SLUICE_HD void UpdateScores(Block& block, const Tile& tile) const {
    const UnitState& state = State(block);
    const AttendEntry& entry = tiles.call.EntryOf(tile.row);
    const Span& span = state.tiles.row.spans[tile.span];
    const SpanChunks& chunks = state.tiles.chunks[tile.span];
    const TilePlace& place = state.places[0];
    const int32_t page_size = span.format->page.page_size;
    const float decay = DecayPower(rule.decay, entry.token_count);
    // From here on slots are new.
    const int64_t fresh = span.contiguous
                              ? chunks.lead + state.tiles.query_position - span.first_position
                              : chunks.end;
    ForEachOfBlock(block, kTileSlots * tile.sums, [&](int64_t i) {
      const auto in_tile = static_cast<int32_t>(i % kTileSlots);
      if (in_tile < place.begin || in_tile >= place.end) return;
      const int64_t slot = int64_t{tile.tile} * kTileSlots + in_tile;
      float& score = ScoresAt(state.tiles, tile, slot)[i / kTileSlots * page_size];
      const float before = slot >= fresh || decay == 0.0f ? 0.0f : decay * score;
      score = before + Sums(block)[i];
    });
  }

  template <class Block>
  SLUICE_HD static UnitState& State(Block& block) {
    return UnitTiles<kDtype>::State(block);
  }
  template <class Block>
  SLUICE_HD float* Sums(Block& block) const {
    return UnitTiles<kDtype>::Floats(block, tiles.layout.sums);
  }
};

}  // namespace sluice::device
