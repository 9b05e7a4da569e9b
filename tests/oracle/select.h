// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Choosing the best slots of one segment: compute.md, section 2, "Select".

#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class Combine { kNone, kMean, kMax };

struct SelectRequest {
  Rows scores;  // [rows][slots]; rows may differ in length unless combined
  // Slots to choose over all rows together; over each row if combined. A segment with as
  // many slots or fewer keeps all, as far as `at_most` allows.
  int k = 0;
  Combine combine = Combine::kNone;             // not kNone: all rows share one choice
  std::vector<std::vector<bool>> is_protected;  // [rows][slots]; empty: none
  // [rows], protected slots count; empty: no bound. Not with `combine`. A row gets its
  // best `at_least` slots before rows compete.
  Indices at_least;
  Indices at_most;
};

struct Selection {
  HeadSets chosen;                  // [rows][chosen], ascending
  std::vector<Indices> best_first;  // the same, in order of preference
  // How close it was among the slots that are not protected: over all rows (head -1), and
  // for each row (head) that ended at one of its bounds.
  DecisionLog decisions;

  int count(int row) const { return Size(chosen[row]); }
};

// Order: protected slots first, then the higher score, NaN like -infinity; ties by row,
// then by slot.
Selection Select(const SelectRequest& request);

// Select of the best k of one row.
Selection SelectTop(const Row& scores, int k);

// Select of the best k over all rows together.
Selection SelectTop(const Rows& scores, int k);

}  // namespace sluice::oracle
