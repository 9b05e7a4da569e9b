// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The way of a unit of query rows through the tiles of its chunks, past those that none of
// them sees. Stateless.

#include <cstdint>

#include "kernels/device/row_tiles.h"

namespace sluice::device {

// A tile, and where its chunk ends. tile >= last_tile: the chunk has no tile that is seen.
struct TileCursor {
  int32_t chunk = 0;
  int32_t span = 0;
  int32_t tile = 0;
  int32_t last_tile = 0;

  SLUICE_HD bool empty() const { return tile >= last_tile; }
};

// The first tile of a chunk that is seen. `visible`: what is seen of each span.
SLUICE_HD inline TileCursor TilesOfChunk(const RowTiles& row, const SlotRange* visible,
                                         int32_t chunk) {
  TileCursor cursor;
  cursor.chunk = chunk;
  while (chunk >= row.first_chunks[cursor.span + 1]) ++cursor.span;
  const SlotRange seen = visible[cursor.span];
  const int32_t first = (chunk - row.first_chunks[cursor.span]) * row.chunk_tiles;
  const int32_t seen_first = seen.begin / kTileSlots;
  const int32_t seen_last =
      seen.begin < seen.end ? (seen.end + kTileSlots - 1) / kTileSlots : 0;
  cursor.tile = first > seen_first ? first : seen_first;
  cursor.last_tile = first + row.chunk_tiles < seen_last ? first + row.chunk_tiles : seen_last;
  return cursor;
}

// The first tile of the chunks [chunk, last_chunk) that is seen; empty: there is none.
SLUICE_HD inline TileCursor NextSeenTile(const RowTiles& row, const SlotRange* visible,
                                         int32_t chunk, int32_t last_chunk) {
  for (; chunk < last_chunk; ++chunk) {
    const TileCursor cursor = TilesOfChunk(row, visible, chunk);
    if (!cursor.empty()) return cursor;
  }
  return TileCursor();
}

// The tile behind `at` that is seen, likewise.
SLUICE_HD inline TileCursor AdvanceTile(const RowTiles& row, const SlotRange* visible,
                                        TileCursor at, int32_t last_chunk) {
  ++at.tile;
  return at.empty() ? NextSeenTile(row, visible, at.chunk + 1, last_chunk) : at;
}

}  // namespace sluice::device
