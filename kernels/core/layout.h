// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Where an element of a page lies.
//
// The layout "swizzled" is that of core/swizzle.h for K and V alike. The layout "group16":
// K tile: groups of 16 slots, in each the dim pairs in order;
//   2-byte types [page_size/16][k_dim/2][16][2], fp32 [page_size/16][k_dim/2][2][16].
// V tile, at KTileBytes: dims in plain order;
//   2-byte types [page_size/2][v_dim][2], fp32 [page_size][v_dim].
// The members of a K pair are RoPE partners (core/rope.h), so that rotation
// stays within a lane. Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/rope.h"
#include "kernels/core/swizzle.h"
#include "kernels/page_format.h"

namespace sluice {

// Slots that lie side by side in a K tile.
inline constexpr int32_t kGroupSlots = 16;

// group16: place of a key's dim: 2 * pair + member. A permutation of [0, k_dim).
SLUICE_HD constexpr int32_t LanePosition(const PageFormat& format, int32_t dim) {
  if (format.pairing != RopePairing::kHalfSplit || dim >= format.rotary_dim) return dim;
  const int32_t half = format.rotary_dim / 2;
  return dim < half ? 2 * dim : 2 * (dim - half) + 1;
}

// The inverse of LanePosition.
SLUICE_HD constexpr int32_t LaneDim(const PageFormat& format, int32_t position) {
  const DimPair dims = PairDims(format.pairing, format.rotary_dim, position / 2);
  return position % 2 == 0 ? dims.first : dims.second;
}

// group16: element index, in the K tile, of a slot's key at a lane position.
SLUICE_HD constexpr int64_t KLaneOffset(const PageFormat& format, int32_t slot, int32_t position) {
  const int64_t group = slot / kGroupSlots;
  const int64_t lane = slot % kGroupSlots;
  const int64_t pair = position / 2;
  const int64_t member = position % 2;
  const int64_t pair_base = (group * (format.k_dim / 2) + pair) * 2 * kGroupSlots;
  return format.dtype == Dtype::kF32 ? pair_base + member * kGroupSlots + lane
                                     : pair_base + lane * 2 + member;
}

// Element index of key dim `dim` of `slot` in the K tile.
SLUICE_HD constexpr int64_t KOffset(const PageFormat& format, int32_t slot, int32_t dim) {
  if (format.layout == PageLayout::kSwizzled) {
    return SwizzledOffset(MakeSwizzledTile(format.page_size, format.k_dim, format.dtype), slot, dim);
  }
  return KLaneOffset(format, slot, LanePosition(format, dim));
}

// Element index of value dim `dim` of `slot` in the V tile.
SLUICE_HD constexpr int64_t VOffset(const PageFormat& format, int32_t slot, int32_t dim) {
  if (format.layout == PageLayout::kSwizzled) {
    return SwizzledOffset(MakeSwizzledTile(format.page_size, format.v_dim, format.dtype), slot, dim);
  }
  if (format.dtype == Dtype::kF32) return int64_t{slot} * format.v_dim + dim;
  return (int64_t{slot / 2} * format.v_dim + dim) * 2 + slot % 2;
}

}  // namespace sluice
