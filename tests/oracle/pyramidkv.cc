// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/pyramidkv.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/oracle/select.h"
#include "tests/oracle/snapkv.h"

namespace sluice::oracle {
namespace {

struct Ends {
  int high = 0;
  int low = 0;
};

Ends LineEnds(const PyramidRule& rule, int slots) {
  const int mean = rule.capacity - rule.window;
  const int prefix = slots - rule.window;
  int low = rule.low_tokens >= 0 ? rule.low_tokens : mean / rule.beta;
  int high = 2 * mean - low;
  if (high >= prefix) {
    high = prefix;
    low = 2 * mean - high;
  }
  return {high, low};
}

Indices FlooredLine(Ends ends, int layers) {
  const int step = (ends.high - ends.low) / (layers - 1);
  Indices budgets;
  for (int layer = 0; layer < layers; ++layer) budgets.push_back(ends.high - layer * step);
  return budgets;
}

Indices ExactLine(Ends ends, int layers) {
  // Everything times (layers - 1), so that the line is made of integers.
  Indices budgets;
  Row remainders;
  for (int layer = 0; layer < layers; ++layer) {
    const int scaled = ends.high * (layers - 1) - layer * (ends.high - ends.low);
    budgets.push_back(scaled / (layers - 1));
    remainders.push_back(scaled % (layers - 1));
  }
  const int total = layers * (ends.high + ends.low) / 2;
  const int missing = total - std::accumulate(budgets.begin(), budgets.end(), 0);
  const Selection next = SelectTop(remainders, missing);
  for (int layer : next.chosen[0]) ++budgets[layer];
  return budgets;
}

}  // namespace

Indices PyramidLine(const PyramidRule& rule, int slots) {
  if (rule.layers == 1) return {rule.capacity - rule.window};
  const Ends ends = LineEnds(rule, slots);
  return rule.arithmetic == PyramidArithmetic::kExact ? ExactLine(ends, rule.layers)
                                                      : FlooredLine(ends, rule.layers);
}

Indices PyramidBudgets(const PyramidRule& rule, int slots) {
  const int mean = rule.capacity - rule.window;
  if (slots < rule.capacity) return Indices(rule.layers, slots - rule.window);
  if (slots < 2 * mean) return Indices(rule.layers, mean);
  return PyramidLine(rule, slots);
}

Outcome PyramidKv(const LayerScores& scores, const PyramidRule& rule) {
  const Indices by_layer = PyramidBudgets(rule, Size(scores[0][0]) + rule.window);
  std::vector<Indices> budgets;
  for (int layer = 0; layer < rule.layers; ++layer) {
    budgets.emplace_back(scores[layer].size(), by_layer[layer]);
  }
  return KeepByBudgets(scores, budgets, rule.window);
}

Indices KvpressPyramid(int layers, int slots, double ratio, int window, int beta) {
  const double kept = slots * (1.0 - ratio);
  double low = kept / beta;
  double high = 2 * kept - low;
  if (high >= slots - window) {
    high = slots - window;
    low = 2 * kept - high;
  }
  const bool is_pyramid = slots >= high && high >= low && low >= window;
  Indices counts;
  for (int layer = 0; layer < layers; ++layer) {
    const double count = is_pyramid ? high - layer * (high - low) / (layers - 1) : kept;
    counts.push_back(static_cast<int>(std::nearbyint(count)));  // half to even
  }
  return counts;
}

}  // namespace sluice::oracle
