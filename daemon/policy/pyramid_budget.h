// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace sluice {

// A straight line over `layers` layers, the first highest, around `mean_slots`
// (PyramidKV; related methods, section 4, exact form). Pure functions.
//
// The last layer is at `low_end_slots`, the first as far above the mean as that is
// below it; where the first would exceed the `slots` that a layer has, it has all
// of them and the last rises instead. In between the line is rational, rounded by
// largest remainder, ties to the lower layer: the sum is layers * mean_slots.
// REQUIRES: 0 <= low_end_slots <= mean_slots <= slots; layers >= 1.
std::vector<int64_t> PyramidLine(int64_t mean_slots, int64_t low_end_slots, int64_t slots,
                                 int64_t layers);

// The slots that each of `layers` layers may keep before a window of `window_tokens`,
// where a layer holds `held_slots`, window included: the line or, where these are
// fewer than twice `mean_slots` or all fit, the mean.
std::vector<int64_t> PyramidBudgets(int64_t mean_slots, int64_t low_end_slots,
                                    int64_t window_tokens, int64_t held_slots, int64_t layers);

}  // namespace sluice
