// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What a job is to do: the score to compute and the selection to run on it. The
// fields are those of the compute layer's `Select`, one to one.

#include <cstdint>
#include <limits>
#include <vector>

#include "daemon/policy/accumulated_score.h"
#include "daemon/policy/window_score.h"

namespace sluice {

// How much a slot matters. Higher stays longer.
enum class Scorer : uint8_t {
  kNone,     // nothing is computed: protected slots, then the lowest positions
  kKeyNorm,  // minus the L2 norm of the key (L2-norm eviction, section 3)
  kWindow,   // the attention of the last query rows, as JobRecipe::window_score says
  kAccumulated,  // of all query rows so far, as PolicyNeeds::accumulated_score says
};

// The slots of `row_count` rows below the snapshot compete for `k` places.
struct RecipeSegment {
  int32_t first_row = 0;
  int32_t row_count = 1;
  int64_t k = 0;  // slots kept, protected ones included; >= the slots: all are kept
  int64_t protect_below_position = 0;  // slots with position < this come first
  int64_t protect_from_position = std::numeric_limits<int64_t>::max();  // and those >= this
  int64_t drop_below_position = 0;     // slots with position < this never stay

  bool operator==(const RecipeSegment&) const = default;
};

enum class SegmentCombine : uint8_t {
  kNone,  // the rows of a segment compete with each other
  kMean,  // they share one mask, by their mean score
  kMax,   // they share one mask, by their greatest score
};

// Either what a job is to do, or, where the budgets depend on the scores, what is to
// be counted before the policy can tell (Policy::Budget).
struct JobRecipe {
  Scorer scorer = Scorer::kNone;
  WindowScore window_score;  // of kWindow
  ScoreNormalise normalise = ScoreNormalise::kNone;  // of kAccumulated
  // Counts wanted first: how many slots of each row are among a segment's best k.
  // May overlap. Not empty: `segments` is empty, and the fields below are for this
  // selection.
  std::vector<RecipeSegment> count_segments;
  std::vector<RecipeSegment> segments;  // disjoint, ascending, over all rows of the model
  SegmentCombine combine = SegmentCombine::kNone;
  int64_t at_least = 0;  // bounds on the slots kept of a row
  int64_t at_most = std::numeric_limits<int64_t>::max();
  // Known from the counts alone: no row would lose a slot, so no job is needed.
  // Where only positions can tell (a sliding window over a body), it is false.
  bool evicts_nothing = false;
};

}  // namespace sluice
