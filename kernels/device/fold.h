// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// How sums of a softmax over parts of a row become one, in units of log2. Stateless.

#include <math.h>

#include "kernels/core/host_device.h"

namespace sluice::device {

inline constexpr float kLog2E = 1.44269504f;

// 2^(before - after) of maxima; 0 where there was nothing before.
SLUICE_HD inline float Rescale(float before, float after) {
  return before == -HUGE_VALF ? 0.0f : exp2f(before - after);
}

// a * factor_a + b * factor_b, rounded in one way wherever chunks fold.
SLUICE_HD inline float FoldSum(float a, float factor_a, float b, float factor_b) {
  return fmaf(b, factor_b, a * factor_a);
}

}  // namespace sluice::device
