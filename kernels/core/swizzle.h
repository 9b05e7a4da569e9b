// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Where an element of a tile lies in the layout "swizzled".
//
// A tile [slots, dim] is cut into columns of 128 bytes, the last one of what is left (64
// or 32), or of both: each [slots, width] and one after the other. Within a column the 16-byte
// chunks of a slot change places by exclusive or with bits of the slot, so that neither 8
// slots at one chunk nor 8 chunks of one slot meet in a bank of shared memory; a column
// of 128 bytes is what wgmma calls a 128-byte swizzle. A chunk stays whole, and so does
// the slot's place: the same bytes serve pages in global and in shared memory. Stateless,
// thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/dtype.h"

namespace sluice {

inline constexpr int32_t kChunkBytes = 16;
inline constexpr int32_t kColumnBytes = 128;

// The shape of a tile. REQUIRES: dim is a multiple of 16.
struct SwizzledTile {
  int32_t slots = 0;
  int32_t row_bytes = 0;      // of a slot
  int32_t element_bytes = 2;
};

SLUICE_HD constexpr SwizzledTile MakeSwizzledTile(int32_t slots, int32_t dim, Dtype dtype) {
  const auto element_bytes = static_cast<int32_t>(DtypeBytes(dtype));
  return {slots, dim * element_bytes, element_bytes};
}

SLUICE_HD constexpr int32_t ChunksOfRow(const SwizzledTile& tile) {
  return tile.row_bytes / kChunkBytes;
}

// The width in bytes of the column in which byte `begin` of a row lies: 128, 64 or 32.
SLUICE_HD constexpr int32_t ColumnWidth(const SwizzledTile& tile, int32_t begin) {
  const int32_t rest = tile.row_bytes - begin / kColumnBytes * kColumnBytes;
  if (rest >= kColumnBytes) return kColumnBytes;
  return rest >= 64 && begin % kColumnBytes < 64 ? 64 : 32;
}

// Byte offset in the tile of chunk `chunk` of a slot.
SLUICE_HD constexpr int32_t SwizzledChunk(const SwizzledTile& tile, int32_t slot, int32_t chunk) {
  // Widths are powers of 2: divisions by what is not known before are slow on devices.
  const int32_t width = ColumnWidth(tile, chunk * kChunkBytes);
  const int32_t column = chunk * kChunkBytes & ~(width - 1);  // its first byte of a row
  const int32_t line_shift = width == kColumnBytes ? 0 : (width == 64 ? 1 : 2);
  const int32_t mask = width / kChunkBytes - 1;
  const int32_t place = (chunk & mask) ^ (slot >> line_shift & mask);
  return column * tile.slots + slot * width + place * kChunkBytes;
}

// Element index in the tile of dim `dim` of a slot.
SLUICE_HD constexpr int64_t SwizzledOffset(const SwizzledTile& tile, int32_t slot, int32_t dim) {
  const int32_t byte = dim * tile.element_bytes;
  return (SwizzledChunk(tile, slot, byte / kChunkBytes) + byte % kChunkBytes) / tile.element_bytes;
}

}  // namespace sluice
