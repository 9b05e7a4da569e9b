// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Pooling of scores along the slots of a row (SnapKV, Li et al. 2024, section
// 4.1: neighbours of an important token stay with it). Stateless, thread-safe.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/ops.h"

namespace sluice {

// pooled[i - first] for the slots [first, last): the average or the maximum of
// `scores` [slots] over the `width` slots around slot i. An average divides by
// `width` at the row's ends too; a maximum passes over what lies outside.
// Terms are added in slot order. REQUIRES: width is odd; pool is not kNone.
SLUICE_HD inline void PoolScores(const float* scores, int64_t slots, WindowPool pool, int32_t width,
                                 int64_t first, int64_t last, float* pooled) {
  const int64_t half = width / 2;
  const bool averages = pool == WindowPool::kAverage;
  for (int64_t i = first; i < last; ++i) pooled[i - first] = averages ? 0.0f : scores[i];
  // Offsets that no slot of the range has are left out: a width may be any.
  const int64_t low = half < last - 1 ? -half : -(last - 1);
  const int64_t high = half < slots - 1 - first ? half : slots - 1 - first;
  for (int64_t offset = low; offset <= high; ++offset) {
    const int64_t begin = first + offset < 0 ? -offset : first;
    const int64_t end = last + offset > slots ? slots - offset : last;
    for (int64_t i = begin; i < end; ++i) {
      const float score = scores[i + offset];
      float& value = pooled[i - first];
      value = averages ? value + score : (score > value ? score : value);
    }
  }
  const auto divisor = static_cast<float>(width);
  for (int64_t i = first; averages && i < last; ++i) pooled[i - first] /= divisor;
}

}  // namespace sluice
