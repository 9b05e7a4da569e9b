// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The one rule by which attention mass adds up: compute.md, section 2, "Mass".

#include <vector>

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class GroupReduce { kMean, kMax, kSum, kMedian };  // the median is the lower one

// One number for a group; the group must not be empty.
double Reduce(Row group, GroupReduce reduce);

struct MassRule {
  double decay = 1;      // 1: sum; between: moving average without its factor; 0: last row
  bool squared = false;  // adds p^2 instead of p
  GroupReduce reduce = GroupReduce::kMean;
};

// score[t] <- decay^q * score[t] + reduce_g(sum_j decay^(q-1-j) * f(p[g][j][t])), over the q
// rows of the call. `scores` may be shorter than the rows of p: new slots start at 0.
// p: [group][q][slots], q at least 1.
Row UpdateMass(Row scores, const std::vector<Rows>& p, const MassRule& rule);

}  // namespace sluice::oracle
