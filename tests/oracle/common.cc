// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/common.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sluice::oracle {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallestScore = 1e-30;

Row WithoutNan(Row row) {
  for (double& value : row) {
    if (std::isnan(value)) value = -kInfinity;
  }
  return row;
}

// The smallest element above `bound`; infinity if there is none.
double NextAbove(const Row& row, double bound) {
  double next = kInfinity;
  for (double value : row) {
    if (value > bound) next = std::min(next, value);
  }
  return next;
}

double NextBelow(const Row& row, double bound) {
  double next = -kInfinity;
  for (double value : row) {
    if (value < bound) next = std::max(next, value);
  }
  return next;
}

}  // namespace

double RelativeDifference(double a, double b) {
  if (std::isinf(a) || std::isinf(b)) return kInfinity;
  return std::abs(a - b) / std::max({std::abs(a), std::abs(b), kSmallestScore});
}

Decision Judge(Decision decision, const Row& chosen, const Row& not_chosen) {
  decision.margin = kInfinity;
  decision.tied = false;
  if (chosen.empty() || not_chosen.empty()) return decision;
  const Row in = WithoutNan(chosen);
  const Row out = WithoutNan(not_chosen);
  const double worst_in = *std::min_element(in.begin(), in.end());
  const double best_out = *std::max_element(out.begin(), out.end());
  if (worst_in != best_out) {
    decision.margin = RelativeDifference(worst_in, best_out);
    return decision;
  }
  decision.tied = true;
  decision.margin = std::min(RelativeDifference(worst_in, NextAbove(in, worst_in)),
                             RelativeDifference(worst_in, NextBelow(out, worst_in)));
  return decision;
}

double SmallestMargin(const DecisionLog& log) {
  double smallest = kInfinity;
  for (const Decision& decision : log) smallest = std::min(smallest, decision.margin);
  return smallest;
}

int FirstCloseStep(const DecisionLog& log, double limit) {
  int first = std::numeric_limits<int>::max();
  for (const Decision& decision : log) {
    if (decision.margin < limit) first = std::min(first, decision.step);
  }
  return first;
}

DecisionLog OfHead(const DecisionLog& log, int head) {
  DecisionLog found;
  for (const Decision& decision : log) {
    if (decision.head == head) found.push_back(decision);
  }
  return found;
}

bool Trigger::IsDue(int decoded, int held, int budget) const {
  return decoded >= every && held > budget && held >= budget + hysteresis;
}

Indices Range(int count) {
  Indices range(count);
  std::iota(range.begin(), range.end(), 0);
  return range;
}

}  // namespace sluice::oracle
