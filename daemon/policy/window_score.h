// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice {

// How the scores of the query heads that read one kv head become one. The median is the
// lower one, and a cascade's only.
enum class HeadReduce : uint8_t { kMean, kMax, kSum, kMedian };

// How a slot's score takes in those of its neighbours. The average divides by the
// whole width at the edges too, the maximum ignores what lies outside.
enum class ScorePool : uint8_t { kNone, kAverage, kMax };

// The attention that the last `window_tokens` query rows pay a slot: summed over
// the rows, reduced over the query heads, then pooled along the kept slots before
// the window (SnapKV; related methods, 0.2).
struct WindowScore {
  int32_t window_tokens = 0;
  HeadReduce reduce = HeadReduce::kMean;
  ScorePool pool = ScorePool::kNone;
  int32_t pool_width = 1;  // odd; 1 without a pool

  bool operator==(const WindowScore&) const = default;
};

}  // namespace sluice
