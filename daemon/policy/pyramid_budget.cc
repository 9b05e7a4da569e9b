// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/pyramid_budget.h"

#include <algorithm>
#include <numeric>

namespace sluice {

std::vector<int64_t> PyramidLine(int64_t mean_slots, int64_t low_end_slots, int64_t slots,
                                 int64_t layers) {
  const auto count = static_cast<size_t>(layers);
  if (layers == 1) return {mean_slots};
  const int64_t first = std::min(2 * mean_slots - low_end_slots, slots);
  const int64_t fall = 2 * (first - mean_slots);  // from the first layer to the last
  const int64_t steps = layers - 1;
  std::vector<int64_t> line(count);
  std::vector<int64_t> remainders(count);  // in 1 / steps of a slot
  for (size_t layer = 0; layer < count; ++layer) {
    const int64_t height = first * steps - static_cast<int64_t>(layer) * fall;
    line[layer] = height / steps;
    remainders[layer] = height % steps;
  }
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  const int64_t left =
      layers * mean_slots - std::accumulate(line.begin(), line.end(), int64_t{0});
  for (size_t i = 0; i < static_cast<size_t>(left); ++i) ++line[order[i]];
  return line;
}

std::vector<int64_t> PyramidBudgets(int64_t mean_slots, int64_t low_end_slots,
                                    int64_t window_tokens, int64_t held_slots, int64_t layers) {
  const int64_t slots = held_slots - window_tokens;
  if (slots <= mean_slots || held_slots < 2 * mean_slots) {
    return std::vector<int64_t>(static_cast<size_t>(layers), mean_slots);
  }
  return PyramidLine(mean_slots, low_end_slots, slots, layers);
}

}  // namespace sluice
