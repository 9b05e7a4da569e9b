// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Putting keys and values into slots of pages: what Append and Import share. Stateless.

#include <math.h>

#include <cstddef>
#include <cstdint>

#include "kernels/core/number.h"
#include "kernels/core/swizzle.h"
#include "kernels/core/view.h"
#include "kernels/device/block.h"
#include "kernels/device/block_math.h"

namespace sluice::device {

// What a slot takes. Vectors are aligned to 16 bytes.
struct SlotSource {
  const std::byte* k = nullptr;  // [k_dim]
  const std::byte* v = nullptr;  // [v_dim]
  Dtype k_dtype = Dtype::kF32;
  Dtype v_dtype = Dtype::kF32;
  int32_t position = 0;
  float log_mass = 0.0f;
};

inline constexpr uint32_t kInfinityBits = 0x7f800000u;

// Elements [first, first + kCount) of a vector; `first` is a multiple of kCount.
template <int32_t kCount>
SLUICE_HD void LoadFloats(const std::byte* vector, Dtype dtype, int32_t first,
                          float (&values)[kCount]) {
  const std::byte* const from = vector + first * DtypeBytes(dtype);
  if (dtype == Dtype::kF32) {
    for (int32_t i = 0; i < kCount; i += 4) {
      const Vector16 part = *reinterpret_cast<const Vector16*>(from + i * 4);
      for (int32_t j = 0; j < 4; ++j) values[i + j] = FloatFromBits(part.words[j]);
    }
    return;
  }
  uint32_t words[kCount / 2];
  if constexpr (kCount == 8) {
    const Vector16 all = *reinterpret_cast<const Vector16*>(from);
    for (int32_t i = 0; i < 4; ++i) words[i] = all.words[i];
  } else {
    for (int32_t i = 0; i < kCount / 2; ++i) words[i] = reinterpret_cast<const uint32_t*>(from)[i];
  }
  for (int32_t i = 0; i < kCount; ++i) {
    const auto bits = static_cast<uint16_t>(words[i / 2] >> (i % 2 * 16));
    values[i] = dtype == Dtype::kBf16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
  }
}

// A chunk of a page: 4 elements of fp32 or 8 of a 2-byte type.
template <int32_t kCount>
SLUICE_HD Vector16 PackFloats(Dtype dtype, const float (&values)[kCount]) {
  Vector16 chunk;
  if constexpr (kCount == 4) {
    for (int32_t i = 0; i < 4; ++i) chunk.words[i] = FloatBits(values[i]);
  } else {
    for (int32_t i = 0; i < 8; ++i) {
      const uint32_t bits =
          dtype == Dtype::kBf16 ? FloatToBf16(values[i]) : FloatToHalf(values[i]);
      chunk.words[i / 2] |= bits << (i % 2 * 16);
    }
  }
  return chunk;
}

// Of the sum of a key's squares; +inf where it is beyond fp32.
SLUICE_HD inline float KeyNorm(double squares) {
  const double norm = sqrt(squares);
  constexpr double kLargestFloat = 0x1.fffffep127;
  return norm <= kLargestFloat ? static_cast<float>(norm) : FloatFromBits(kInfinityBits);
}

template <int32_t kElements, class Block>
SLUICE_HD bool StoreSlotOfElements(Block& block, const PoolView& pool, const SpanFormat& format,
                                   uint32_t page, int32_t slot, const SlotSource& source) {
  const PageFormat& shape = format.page;
  const SwizzledTile k_tile = MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype);
  const SwizzledTile v_tile = MakeSwizzledTile(shape.page_size, shape.v_dim, shape.dtype);
  const int32_t k_chunks = ChunksOfRow(k_tile);
  const int32_t chunks = k_chunks + ChunksOfRow(v_tile);
  constexpr int32_t kLaneChunks = 2 * 256 / kElements / kWarpThreads;  // of the largest dims
  Vector16 stored[kLaneChunks];
  double squares = 0.0;
  bool finite = source.log_mass != -FloatFromBits(kInfinityBits);
  Unrolled<kLaneChunks>([&](int32_t i) {
    const int32_t chunk = i * kWarpThreads + block.lane();
    if (chunk >= chunks) return;
    const bool of_key = chunk < k_chunks;
    float values[kElements];
    LoadFloats(of_key ? source.k : source.v, of_key ? source.k_dtype : source.v_dtype,
               (of_key ? chunk : chunk - k_chunks) * kElements, values);
    for (float& value : values) {
      value = RoundTo(shape.dtype, value);
      finite = finite && IsFinite(value);
      if (of_key) squares += double{value} * double{value};
    }
    stored[i] = PackFloats(shape.dtype, values);
  });
  finite = block.Ballot(finite) == 0xffffffffu;
  squares = SumOfWarp(block, squares);
  std::byte* const data = PageData(pool, format.slab, page);
  Unrolled<kLaneChunks>([&](int32_t i) {
    const int32_t chunk = i * kWarpThreads + block.lane();
    if (chunk >= chunks) return;
    const int64_t offset =
        chunk < k_chunks ? SwizzledChunk(k_tile, slot, chunk)
                         : KTileBytes(shape) + SwizzledChunk(v_tile, slot, chunk - k_chunks);
    *reinterpret_cast<Vector16*>(data + offset) = finite ? stored[i] : Vector16();
  });
  if (block.lane() == 0) {
    const float infinity = FloatFromBits(kInfinityBits);
    const float log_mass = finite ? source.log_mass : -infinity;
    PagePositions(pool, format.slab, page)[slot] = source.position;
    PageLogMass(pool, format.slab, page)[slot] = log_mass;
    PageKeyNorms(pool, format.slab, page)[slot] = finite ? KeyNorm(squares) : infinity;
    if (log_mass != 0.0f) block.AtomicOr(PageFlags(pool, format.slab, page), kPageHasMass);
  }
  return finite;
}

// A warp writes a slot of a page with its side arrays and, where log_mass is not 0, the
// page's flag. Whether it was stored as it is: a slot whose key or value is not finite as
// stored, or whose log_mass is -inf, takes zeros, log_mass -inf and key_norm +inf.
template <class Block>
SLUICE_HD bool StoreSlot(Block& block, const PoolView& pool, const SpanFormat& format,
                         uint32_t page, int32_t slot, const SlotSource& source) {
  return format.page.dtype == Dtype::kF32
             ? StoreSlotOfElements<4>(block, pool, format, page, slot, source)
             : StoreSlotOfElements<8>(block, pool, format, page, slot, source);
}

// Clears the slots of a tile from `first` on.
template <class Block>
SLUICE_HD void ClearTile(Block& block, const SwizzledTile& tile, int32_t first, std::byte* data) {
  const int32_t chunks = ChunksOfRow(tile);
  ForEachOfBlock(block, int64_t{tile.slots - first} * chunks, [&](int64_t i) {
    const int32_t slot = first + static_cast<int32_t>(i / chunks);
    const int32_t offset = SwizzledChunk(tile, slot, static_cast<int32_t>(i % chunks));
    *reinterpret_cast<Vector16*>(data + offset) = Vector16();
  });
}

// A block makes a page ready for its first `slots` slots to be stored: the others are
// cleared, and its flags. All threads of the block.
template <class Block>
SLUICE_HD void OpenPage(Block& block, const PoolView& pool, const SpanFormat& format,
                        uint32_t page, int32_t slots) {
  const PageFormat& shape = format.page;
  std::byte* const data = PageData(pool, format.slab, page);
  ClearTile(block, MakeSwizzledTile(shape.page_size, shape.k_dim, shape.dtype), slots, data);
  ClearTile(block, MakeSwizzledTile(shape.page_size, shape.v_dim, shape.dtype), slots,
            data + KTileBytes(shape));
  ForEachOfBlock(block, shape.page_size - slots, [&](int64_t i) {
    PagePositions(pool, format.slab, page)[slots + i] = 0;
    PageLogMass(pool, format.slab, page)[slots + i] = 0.0f;
    PageKeyNorms(pool, format.slab, page)[slots + i] = 0.0f;
  });
  if (block.thread() == 0) *PageFlags(pool, format.slab, page) = 0;
  block.Sync();
}

}  // namespace sluice::device
