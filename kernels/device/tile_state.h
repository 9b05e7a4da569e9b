// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What a block knows of the row of keys that its query rows attend over, and of a tile of it.

#include <climits>
#include <cstdint>

#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/key_tiles.h"
#include "kernels/device/row_tiles.h"
#include "kernels/device/tile_cursor.h"

namespace sluice::device {

// Lies in shared memory.
struct TileState {
  RowTiles tiles;
  SlotRange visible[kMaxSpans];       // what any of the query rows sees of each span
  TilePlace places[2];
  int32_t key_positions[kTileSlots];  // INT32_MAX: nobody sees it
  float log_mass[kTileSlots];         // in units of log2

  SLUICE_HD const PageFormat& Format(const TileCursor& at) const {
    return tiles.row.spans[at.span].format->page;
  }
};

// By what the dot product of a query and a key is multiplied before the soft cap, or to be a
// logit in units of log2.
SLUICE_HD inline float LogitFactor(const LayerShape& layer) {
  return layer.scale * (layer.soft_cap != 0.0f ? 1.0f / layer.soft_cap : kLog2E);
}

// Finds what `queries` query rows from first_query on see of each span. The whole block; all
// threads see it after the next Sync. REQUIRES: state->tiles are of their row.
template <class Block>
SLUICE_HD void FindVisible(Block& block, const AttendCall& call, int32_t first_query,
                           int32_t queries, TileState* state) {
  const int64_t first = state->tiles.query_position + first_query / call.group;
  const int64_t last = state->tiles.query_position + (first_query + queries - 1) / call.group;
  ForEachOfBlock(block, state->tiles.row.span_count, [&](int64_t span) {
    state->visible[span] =
        VisibleSlots(call, state->tiles, static_cast<int32_t>(span), first, last);
  });
}

// Finds where the groups of a tile lie, of what is visible. As FindVisible.
template <class Block>
SLUICE_HD void LocateTile(Block& block, const AttendCall& call, const TileState& state,
                          const TileCursor& at, TilePlace* place) {
  if (block.thread() >= kTileGroups) return;
  const SlotRange seen = state.visible[at.span];
  LocateGroup(call.pool, state.tiles.row.spans[at.span], state.tiles.chunks[at.span], at.tile,
              seen.begin, seen.end, block.thread(), place);
}

// Notes positions and log_mass of a tile's slots. As FindVisible.
template <class Block>
SLUICE_HD void NoteSlots(Block& block, const AttendCall& call, int32_t span_index, int32_t tile,
                         const TilePlace& place, TileState* state) {
  const Span& span = state->tiles.row.spans[span_index];
  const int64_t first =
      span.first_position + int64_t{tile} * kTileSlots - state->tiles.chunks[span_index].lead;
  // All of a body is seen unless there is a window, or queries below the tail.
  const bool by_position =
      call.layer.window > 0 || state->tiles.query_position < state->tiles.tail_first_position;
  ForEachOfBlock(block, kTileSlots, [&](int64_t i) {
    const auto slot = static_cast<int32_t>(i);
    const int32_t group = slot / kGroupSlots;
    const int32_t in_group = slot % kGroupSlots;
    if (slot < place.begin || slot >= place.end) {
      state->key_positions[slot] = INT32_MAX;
      return;
    }
    if (span.contiguous) {
      state->key_positions[slot] = static_cast<int32_t>(first + slot);
    } else {
      state->key_positions[slot] = by_position ? place.positions[group][in_group] : 0;
    }
    const float* const log_mass = place.log_mass[group];
    state->log_mass[slot] = log_mass == nullptr ? 0.0f : log_mass[in_group] * kLog2E;
  });
}

}  // namespace sluice::device
