// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Tiles of 16-bit elements as factors of products on tensor cores (core/fragment.h): 16 x 16
// elements at a time, from shared memory in the layout "swizzled". All of a warp.

#include <cstddef>
#include <cstdint>

#include "kernels/core/fragment.h"
#include "kernels/core/number.h"
#include "kernels/device/block.h"
#include "kernels/dtype.h"

namespace sluice::device {

// Sums of a warp's 16 rows by 16 columns: two products' beside each other.
inline constexpr int32_t kHalves = kFragmentDepth / kFragmentColumns;
using SquareSums = float[kHalves][4];

// What a lane names of four matrices that are the quarters of 16 x 16 elements.
struct Quarter {
  int32_t row;
  int32_t chunk;
};

// The lower left quarter before the upper right one: the words of an a, and by rows,
// transposed, of two b beside each other.
SLUICE_HD constexpr Quarter RowsFirst(int32_t lane) {
  return {lane % 8 + lane / 8 % 2 * 8, lane / 16};
}

// The other way round, of b's columns: the words of two b beside each other.
SLUICE_HD constexpr Quarter ColumnsFirst(int32_t lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

// Two b beside each other.
struct SquareB {
  uint32_t words[kHalves][2];
};

// The b of 16 x 16 elements, of which the lane names a quarter's row.
template <bool kTransposed, class Block>
SLUICE_HD SquareB LoadSquare(Block& block, const std::byte* row) {
  uint32_t words[4];
  block.template LoadMatrices<kTransposed>(words, row);
  return {{{words[0], words[1]}, {words[2], words[3]}}};
}

// A power of 2 by which a row is divided to have its largest element near 1, for elements that
// may lie outside of a type's range. `largest`: of the row's magnitudes, at any lane.
template <class Block>
SLUICE_HD float UnitOfRow(Block& block, float largest) {
  const float unit = FloatFromBits(FloatBits(WarpMax(block, largest)) & 0x7f800000u);
  return unit > 0.0f && IsFinite(unit) ? unit : 1.0f;
}

// The word of two numbers from 0 to 1, each rounded to the nearest of kDtype.
template <Dtype kDtype>
SLUICE_HD uint32_t WeightPair(float low, float high) {
  if constexpr (kDtype == Dtype::kBf16) {
    const auto rounded = [](float weight) {
      const uint32_t bits = FloatBits(weight);
      return bits + 0x7fffu + (bits >> 16 & 1u);
    };
    return rounded(low) >> 16 | (rounded(high) & 0xffff0000u);
  } else {
    return uint32_t{FloatToHalf(low)} | uint32_t{FloatToHalf(high)} << 16;
  }
}

}  // namespace sluice::device
