// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "daemon/policy/window_score.h"

namespace sluice {

// The attention that every query row pays a slot, gathered call by call. With q rows in
// a call, score <- decay^q * score + the reduction over a kv head's query heads of the
// sum over the rows of decay^(rows after it) * p, or p^2 (compute: "Mass").
struct AccumulatedScore {
  double decay = 1.0;    // 1: the sum (H2O); between: a moving sum; 0: the last row (TOVA)
  bool squared = false;  // adds p^2 (KV-Compress)
  HeadReduce reduce = HeadReduce::kMean;  // kMean or kSum; of a cascade any

  bool operator==(const AccumulatedScore&) const = default;
};

// What of such a score is compared.
enum class ScoreNormalise : uint8_t {
  kNone,  // all of it
  kMean,  // its share of one query row: divided by the rows that saw the slot
};

}  // namespace sluice
