// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What tensor cores do for a warp, lane by lane (kernels/core/fragment.h).

#include <cstdint>
#include <cstring>

#include "kernels/core/fragment.h"
#include "kernels/core/number.h"

namespace sluice::sim {

// Of a lane, what it brings to products: the elements of its a, then those of each b.
inline constexpr int32_t kLeftFactors = 8;
inline constexpr int32_t kRightFactors = 4;

// The word that a lane gets of the matrix whose rows are addresses of 8 elements each.
inline uint32_t MatrixWord(const uint64_t* rows, int32_t lane, bool transposed) {
  uint32_t word = 0;
  for (int32_t half = 0; half < 2; ++half) {
    const FragmentPlace place = PlaceInMatrix(lane, half, transposed);
    uint16_t element = 0;
    std::memcpy(&element, reinterpret_cast<const uint16_t*>(rows[place.row]) + place.column,
                sizeof(element));
    word |= uint32_t{element} << (16 * half);
  }
  return word;
}

template <Dtype kDtype, int32_t kWords>
void WordsToFloats(const uint32_t (&words)[kWords], float* floats) {
  for (int32_t i = 0; i < 2 * kWords; ++i) {
    const auto bits = static_cast<uint16_t>(words[i / 2] >> (16 * (i % 2)));
    floats[i] = kDtype == Dtype::kBf16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
  }
}

// results = sums + the lane's part of product `product`, of what all lanes brought [32].
inline void AddProduct(const uint64_t* lanes, int32_t product, int32_t lane,
                       const float (&sums)[4], float (&results)[4]) {
  const auto of = [&](int32_t other) { return reinterpret_cast<const float*>(lanes[other]); };
  for (int32_t i = 0; i < 4; ++i) {
    const FragmentPlace at = PlaceInSums(lane, i);
    float sum = sums[i];
    // The lanes of a row of a hold its columns as those of a column of b hold its rows.
    for (int32_t quarter = 0; quarter < 4; ++quarter) {
      const float* const left = of(at.row % 8 * 4 + quarter) + at.row / 8 * 2;
      const float* const right =
          of(at.column * 4 + quarter) + kLeftFactors + product * kRightFactors;
      for (int32_t word = 0; word < 2; ++word) {
        for (int32_t half = 0; half < 2; ++half) {
          sum += left[4 * word + half] * right[2 * word + half];
        }
      }
    }
    results[i] = sum;
  }
}

}  // namespace sluice::sim
