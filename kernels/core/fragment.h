// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Which elements of a 16 x 8 x 16 matrix product each lane of a warp holds.
//
// Tensor cores compute sums [16, 8] += a [16, 16] * b [16, 8] for a warp, a and b of 16-bit
// elements, two in a word with the lower column (of b: row) in the lower half. What follows is
// the fragment layout of mma.m16n8k16 and the one in which ldmatrix brings 8 x 8 matrices
// (PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type", "ldmatrix").
// Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"

namespace sluice {

inline constexpr int32_t kFragmentRows = 16;   // of a and the sums
inline constexpr int32_t kFragmentDepth = 16;  // columns of a, rows of b
inline constexpr int32_t kFragmentColumns = 8;
inline constexpr int32_t kMatrixRows = 8;      // of what ldmatrix brings: 8 x 8

struct FragmentPlace {
  int32_t row = 0;
  int32_t column = 0;
};

// Element `half` (0, 1) of word `word` (0 .. 3) of a.
SLUICE_HD constexpr FragmentPlace PlaceInA(int32_t lane, int32_t word, int32_t half) {
  return {lane / 4 + word % 2 * 8, lane % 4 * 2 + word / 2 * 8 + half};
}

// Element `half` of word `word` (0, 1) of b.
SLUICE_HD constexpr FragmentPlace PlaceInB(int32_t lane, int32_t word, int32_t half) {
  return {lane % 4 * 2 + word * 8 + half, lane / 4};
}

// Sum `index` (0 .. 3). Two neighbouring products' sums, rounded and in pairs, are an a:
// words 0 and 1 those of the first, 2 and 3 those of the second.
SLUICE_HD constexpr FragmentPlace PlaceInSums(int32_t lane, int32_t index) {
  return {lane / 4 + index / 2 * 8, lane % 4 * 2 + index % 2};
}

// Element `half` of the word that a lane gets of an 8 x 8 matrix; transposed: of what lies
// in memory with rows and columns exchanged.
SLUICE_HD constexpr FragmentPlace PlaceInMatrix(int32_t lane, int32_t half, bool transposed) {
  const int32_t pair = lane % 4 * 2 + half;
  return transposed ? FragmentPlace{pair, lane / 4} : FragmentPlace{lane / 4, pair};
}

}  // namespace sluice
