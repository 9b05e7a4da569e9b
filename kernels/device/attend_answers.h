// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What an Attend answers its query rows with.

#include <math.h>

#include <cstdint>

#include "kernels/device/fold.h"
#include "kernels/device/key_tiles.h"
#include "kernels/ops.h"

namespace sluice::device {

// Stores 4 elements of a dense array that begins at a multiple of 16 bytes: at once, since
// answers go to host memory. REQUIRES: index % 4 == 0.
SLUICE_HD inline void StoreFour(void* base, Dtype dtype, int64_t index, const float (&four)[4]) {
  if (dtype == Dtype::kF32) {
    *reinterpret_cast<Float4*>(static_cast<float*>(base) + index) = {
        {four[0], four[1], four[2], four[3]}};
    return;
  }
  struct alignas(8) Pairs {
    uint32_t words[2];
  } pairs = {};
  SLUICE_UNROLL
  for (int32_t d = 0; d < 4; ++d) {
    const uint32_t bits = dtype == Dtype::kBf16 ? FloatToBf16(four[d]) : FloatToHalf(four[d]);
    pairs.words[d / 2] |= bits << (d % 2 * 16);
  }
  *reinterpret_cast<Pairs*>(static_cast<uint16_t*>(base) + index) = pairs;
}

// A query row's softmax, in units of log2: of the chunk, and of those before.
struct Softmax {
  float max = -HUGE_VALF;
  float sum = 0.0f;
  float folded_max = -HUGE_VALF;
  float folded_sum = 0.0f;
};

// By what values are multiplied when a chunk folds: those before, and the chunk's.
struct FoldFactors {
  float before = 0.0f;
  float now = 0.0f;
};

// Folds the chunk into those before it.
SLUICE_HD inline FoldFactors FoldChunk(Softmax* softmax) {
  const float max = softmax->max > softmax->folded_max ? softmax->max : softmax->folded_max;
  const FoldFactors factors = {Rescale(softmax->folded_max, max), Rescale(softmax->max, max)};
  softmax->folded_sum =
      FoldSum(softmax->folded_sum, factors.before, softmax->sum, factors.now);
  softmax->folded_max = max;
  return factors;
}

struct AttendAnswers {
  void* out = nullptr;             // [tokens, q_heads, v_dim], of q's dtype
  float* lse = nullptr;            // [tokens, q_heads]; null: not wanted
  uint64_t* non_finite = nullptr;  // null: not wanted

  // Answers with the log-sum-exp of query row `query` of the call, whose sum is of
  // 2^(logit - max). Returns by what the row's values are multiplied; *log_sum becomes the
  // log-sum-exp in units of log2 where the row has one.
  SLUICE_HD float Conclude(const LayerShape& layer, int64_t query, float max, float sum,
                           float* log_sum) const {
    if (!(sum > 0.0f)) {
      if (lse != nullptr) lse[query] = -HUGE_VALF;
      return 0.0f;
    }
    float factor = 1.0f;
    if (layer.sink_logits != nullptr) {
      const float sink = layer.sink_logits[query % layer.q_heads] * kLog2E;
      const float larger = sink > max ? sink : max;
      factor = exp2f(max - larger);
      sum = sum * factor + exp2f(sink - larger);
      max = larger;
    }
    *log_sum = max + log2f(sum);
    if (lse != nullptr) lse[query] = max * 0.693147181f + logf(sum);
    return factor / sum;
  }
};

}  // namespace sluice::device
