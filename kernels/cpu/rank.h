// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Ranking of scores by their ordered keys (core/number.h), vectorised.
// Stateless, thread-safe. `scores` is a row's first score; rows are padded to
// a multiple of 32 scores, which may be read.

#include <cstdint>

#include "kernels/core/select.h"
#include "kernels/cpu/work.h"

namespace sluice::cpu {

// The longest range that FindThreshold takes.
inline constexpr int64_t kMaxRankedSlots = int64_t{1} << 17;

// The threshold of the k largest scores of a range.
//
// REQUIRES: 1 <= k <= range.size() <= kMaxRankedSlots.
Threshold FindThreshold(const float* scores, const RowRange& range, int64_t k,
                        WorkerScratch& scratch);

// Sets the mask bits of the slots above the threshold, and of the lowest
// `threshold.ties` slots at it; leaves all others. Returns the ties not used.
int64_t MarkAbove(const float* scores, const RowRange& range, const Threshold& threshold,
               uint32_t* mask);

// Digits of 8 bits, for keys that are counted in many places at once.
inline constexpr int32_t kTileBins = 256;
inline constexpr int32_t kTileDigits = 4;

// Counts digit number `digit` (0: the most significant) of the keys of a range
// whose more significant digits are those of `prefix`.
void CountDigits(const float* scores, const RowRange& range, uint32_t prefix, int32_t digit,
                 uint32_t* histogram);

}  // namespace sluice::cpu
