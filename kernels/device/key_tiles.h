// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The slots of a row, 64 at a time: where they lie, their way to shared memory, and dot
// products of query rows with their keys.
//
// Tiles of a span are counted as its chunks are (SpanChunks): they begin on a group of 16
// slots, so that a group lies in one page whatever the page's size. Stateless.

#include <cstddef>
#include <cstdint>

#include "kernels/core/number.h"
#include "kernels/core/rows.h"
#include "kernels/core/split.h"
#include "kernels/core/swizzle.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"

namespace sluice::device {

inline constexpr int32_t kGroupSlots = 16;
inline constexpr int32_t kTileGroups = kTileSlots / kGroupSlots;

// Where the groups of a tile lie. Slots outside [begin, end) are not to be used; groups
// without any other have null pointers.
struct TilePlace {
  const std::byte* pages[kTileGroups];      // the bytes of each group's page
  const int32_t* positions[kTileGroups];    // [16], of the group
  const float* log_mass[kTileGroups];       // [16]; null: all 0
  int32_t page_slots[kTileGroups];          // number in the page of the group's first slot
  int32_t begin;
  int32_t end;
};

// Finds group `group` of tile `tile`, of whose span the slots [begin, end) are used,
// counted as in SpanChunks. One thread a group; `place` lies in shared memory.
SLUICE_HD inline void LocateGroup(const PoolView& pool, const Span& span,
                                  const SpanChunks& chunks, int64_t tile, int64_t begin,
                                  int64_t end, int32_t group, TilePlace* place) {
  const int64_t first = tile * kTileSlots;
  const int64_t tile_begin = begin > first ? begin - first : 0;
  const int64_t tile_end = end < first + kTileSlots ? end - first : int64_t{kTileSlots};
  if (group == 0) {
    place->begin = static_cast<int32_t>(tile_begin);
    place->end = static_cast<int32_t>(tile_end);
  }
  place->pages[group] = nullptr;
  place->positions[group] = nullptr;
  place->log_mass[group] = nullptr;
  if (group * kGroupSlots >= tile_end || (group + 1) * kGroupSlots <= tile_begin) return;
  const SlabLayout& slab = span.format->slab;
  const int64_t slot = chunks.first_group * kGroupSlots + first + group * kGroupSlots;
  const int64_t page_slot = slot % slab.page_size;
  const uint32_t page = span.Page(slot / slab.page_size);
  place->pages[group] = PageData(pool, slab, page);
  place->page_slots[group] = static_cast<int32_t>(page_slot);
  place->positions[group] = PagePositions(pool, slab, page) + page_slot;
  if ((*PageFlags(pool, slab, page) & kPageHasMass) == 0) return;
  place->log_mass[group] = PageLogMass(pool, slab, page) + page_slot;
}

// The K or the V part of pages, and of tiles of 64 slots in shared memory.
struct TileShape {
  SwizzledTile page;
  SwizzledTile tile;
  int64_t page_offset = 0;  // in the page's bytes

  SLUICE_HD constexpr int32_t chunks() const { return ChunksOfRow(tile); }
  SLUICE_HD constexpr int32_t tile_bytes() const { return kTileSlots * tile.row_bytes; }
};

SLUICE_HD constexpr TileShape KeyTileShape(const PageFormat& format) {
  return {MakeSwizzledTile(format.page_size, format.k_dim, format.dtype),
          MakeSwizzledTile(kTileSlots, format.k_dim, format.dtype), 0};
}

SLUICE_HD constexpr TileShape ValueTileShape(const PageFormat& format) {
  return {MakeSwizzledTile(format.page_size, format.v_dim, format.dtype),
          MakeSwizzledTile(kTileSlots, format.v_dim, format.dtype), KTileBytes(format)};
}

// The column of kWidth bytes of a tile that begins with byte `begin` of its rows; chunk `c` of
// it changes places as in core/swizzle.h, by numbers known when it is compiled.
template <int32_t kWidth>
struct Column {
  static constexpr int32_t kChunks = kWidth / kChunkBytes;
  static constexpr int32_t kLineSlots = kColumnBytes / kWidth;

  SLUICE_HD static constexpr int32_t Offset(int32_t slots, int32_t begin, int32_t slot,
                                            int32_t chunk) {
    return begin * slots + slot * kWidth + (chunk ^ slot / kLineSlots % kChunks) * kChunkBytes;
  }
};

// Calls function(Column<kWidth>(), begin) for the columns of rows of `row_bytes`.
template <class Function>
SLUICE_HD void ForEachColumn(int32_t row_bytes, const Function& function) {
  int32_t begin = 0;
  for (; begin + kColumnBytes <= row_bytes; begin += kColumnBytes) {
    function(Column<kColumnBytes>(), begin);
  }
  if (row_bytes - begin >= 64) {
    function(Column<64>(), begin);
    begin += 64;
  }
  if (row_bytes - begin >= 32) function(Column<32>(), begin);
}

// Brings a part of a tile to shared memory, [64, dim] in the layout "swizzled", unused slots as
// zeros: chunks that still have to be committed and waited for. The whole block.
template <class Block>
SLUICE_HD void CopyTile(Block& block, const TilePlace& place, const TileShape& shape,
                        std::byte* to) {
  ForEachColumn(shape.tile.row_bytes, [&](auto column, int32_t begin) {
    using C = decltype(column);
    // Unrolled, it would keep addresses in registers that units need for their sums.
    SLUICE_NO_UNROLL
    for (int32_t i = block.thread(); i < kTileSlots * C::kChunks; i += block.threads()) {
      const int32_t slot = i / C::kChunks;
      const int32_t chunk = i % C::kChunks;
      std::byte* const at = to + C::Offset(kTileSlots, begin, slot, chunk);
      if (slot >= place.begin && slot < place.end) {
        const int32_t group = slot / kGroupSlots;
        const int32_t page_slot = place.page_slots[group] + slot % kGroupSlots;
        block.CopyAsync(at, place.pages[group] + shape.page_offset +
                                C::Offset(shape.page.slots, begin, page_slot, chunk));
      } else {
        *reinterpret_cast<Vector16*>(at) = Vector16();
      }
    }
  });
}

template <Dtype kDtype>
inline constexpr int32_t kChunkElements = static_cast<int32_t>(kChunkBytes / DtypeBytes(kDtype));

// A finite number, as all stored ones are: without a branch, subnormals included.
SLUICE_HD inline float FiniteHalfToFloat(uint32_t half) {
  const float magnitude = FloatFromBits((half & 0x7fffu) << 13) * 0x1p112f;
  return FloatFromBits(FloatBits(magnitude) | (half & 0x8000u) << 16);
}

// The elements of a chunk, in order.
template <Dtype kDtype>
SLUICE_HD inline void Unpack(const Vector16& chunk, float (&values)[kChunkElements<kDtype>]) {
  SLUICE_UNROLL
  for (int32_t i = 0; i < 4; ++i) {
    const uint32_t word = chunk.words[i];
    if constexpr (kDtype == Dtype::kF32) {
      values[i] = FloatFromBits(word);
    } else if constexpr (kDtype == Dtype::kBf16) {
      values[2 * i] = FloatFromBits(word << 16);
      values[2 * i + 1] = FloatFromBits(word & 0xffff0000u);
    } else {
      values[2 * i] = FiniteHalfToFloat(word);
      values[2 * i + 1] = FiniteHalfToFloat(word >> 16);
    }
  }
}

// 4 floats that move together.
struct alignas(16) Float4 {
  float values[4];
};

// Dims dim .. dim + 3 of the slots of a tile in shared memory. REQUIRES: dim % 4 == 0.
template <Dtype kDtype>
class FourDims {
 public:
  SLUICE_HD FourDims(const std::byte* tile, int32_t row_bytes, int32_t dim) {
    const SwizzledTile shape = {kTileSlots, row_bytes, kElementBytes};
    const int32_t byte = dim * kElementBytes;
    width_ = ColumnWidth(shape, byte);
    column_ = tile + byte / width_ * width_ * kTileSlots + byte % kChunkBytes;
    chunk_ = byte % width_ / kChunkBytes;
    mask_ = width_ / kChunkBytes - 1;
    shift_ = width_ == kColumnBytes ? 0 : (width_ == 64 ? 1 : 2);
  }

  SLUICE_HD Float4 Of(int32_t slot) const {
    const std::byte* const at =
        column_ + slot * width_ + (chunk_ ^ (slot >> shift_ & mask_)) * kChunkBytes;
    if constexpr (kDtype == Dtype::kF32) {
      return *reinterpret_cast<const Float4*>(at);
    } else {
      const Vector8 half = *reinterpret_cast<const Vector8*>(at);
      float elements[kChunkElements<kDtype>];
      Unpack<kDtype>(Vector16{{half.words[0], half.words[1], 0, 0}}, elements);
      return {{elements[0], elements[1], elements[2], elements[3]}};
    }
  }

 private:
  static constexpr int32_t kElementBytes = static_cast<int32_t>(DtypeBytes(kDtype));

  struct alignas(8) Vector8 {
    uint32_t words[2];
  };

  const std::byte* column_;  // of slot 0, with the element's place in its chunk
  int32_t width_;
  int32_t chunk_;
  int32_t mask_;
  int32_t shift_;
};

// dots[i] += the dot product of query row i with the part of a key that a chunk holds.
//
// Row i lies at `q + i * stride`, in plain order from the chunk's first dim on, 16-byte
// aligned.
template <Dtype kDtype, int32_t kRows>
SLUICE_HD inline void AddDots(const Vector16& chunk, const float* q, int32_t stride,
                              float (&dots)[kRows]) {
  constexpr int32_t kElements = kChunkElements<kDtype>;
  float key[kElements];
  Unpack<kDtype>(chunk, key);
  SLUICE_UNROLL
  for (int32_t row = 0; row < kRows; ++row) {
    SLUICE_UNROLL
    for (int32_t i = 0; i < kElements; i += 4) {
      const Float4 part = *reinterpret_cast<const Float4*>(q + row * stride + i);
      SLUICE_UNROLL
      for (int32_t j = 0; j < 4; ++j) {
        dots[row] = AddProduct(dots[row], part.values[j], key[i + j]);
      }
    }
  }
}

// The same of the whole key of a slot of a K tile in shared memory, dim after dim: rows lie at
// `q` from dim 0 on.
template <Dtype kDtype, int32_t kRows>
SLUICE_HD inline void AddDotsOfTile(const std::byte* keys, const SwizzledTile& tile, int32_t slot,
                                    const float* q, int32_t stride, float (&dots)[kRows]) {
  ForEachColumn(tile.row_bytes, [&](auto column, int32_t begin) {
    using C = decltype(column);
    SLUICE_NO_UNROLL
    for (int32_t chunk = 0; chunk < C::kChunks; ++chunk) {
      const std::byte* const at = keys + C::Offset(tile.slots, begin, slot, chunk);
      AddDots<kDtype, kRows>(*reinterpret_cast<const Vector16*>(at), q, stride, dots);
      q += kChunkElements<kDtype>;
    }
  });
}

}  // namespace sluice::device
