// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What tensor cores do for a warp, lane by lane (kernels/core/fragment.h).

#include <cstdint>
#include <cstring>

#include "kernels/core/fragment.h"
#include "kernels/core/number.h"

namespace sluice::sim {

// A lane's a, and its b of the first product: those of the others follow, two words each.
struct Factors {
  const uint32_t* a;
  const uint32_t* b;
};

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

template <Dtype kDtype>
float HalfOfWord(uint32_t word, int32_t half) {
  const auto bits = static_cast<uint16_t>(word >> (16 * half));
  return kDtype == Dtype::kBf16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
}

// results = sums + the lane's part of product `product`, of what all lanes brought [32].
template <Dtype kDtype>
void AddProduct(const uint64_t* lanes, int32_t product, int32_t lane, const float (&sums)[4],
                float (&results)[4]) {
  const auto of = [&](int32_t other) {
    return reinterpret_cast<const Factors*>(lanes[other]);
  };
  for (int32_t i = 0; i < 4; ++i) {
    const FragmentPlace at = PlaceInSums(lane, i);
    float sum = sums[i];
    // The lanes of a row of a hold its columns as those of a column of b hold its rows.
    for (int32_t quarter = 0; quarter < 4; ++quarter) {
      const Factors* const left = of(at.row % 8 * 4 + quarter);
      const Factors* const right = of(at.column * 4 + quarter);
      for (int32_t word = 0; word < 2; ++word) {
        const uint32_t a = left->a[2 * word + at.row / 8];
        const uint32_t b = right->b[2 * product + word];
        for (int32_t half = 0; half < 2; ++half) {
          sum += HalfOfWord<kDtype>(a, half) * HalfOfWord<kDtype>(b, half);
        }
      }
    }
    results[i] = sum;
  }
}

}  // namespace sluice::sim
