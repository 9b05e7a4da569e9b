// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// PyramidKV: related-methods.md, section 4.

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class PyramidArithmetic {
  kReference,  // the step between layers is floored, so the sum may exceed the budget
  kExact,      // the line is rational, rounded by largest remainder, ties to the lower layer
};

struct PyramidRule {
  int layers = 32;
  int capacity = 2048;  // C_total, with the window: the mean over the layers
  int window = 8;
  int beta = 20;
  int low_tokens = -1;  // the low end in tokens instead of by beta; -1: by beta
  PyramidArithmetic arithmetic = PyramidArithmetic::kExact;
};

// The line alone, without the conditions on n. [layers] slots before the window.
Indices PyramidLine(const PyramidRule& rule, int slots);

// Slots that each layer keeps before the window, of `slots`.
Indices PyramidBudgets(const PyramidRule& rule, int slots);

// scores: [layers][heads][slots before the window]
Outcome PyramidKv(const LayerScores& scores, const PyramidRule& rule);

// kvpress' schedule (trap 2): slots that each layer keeps, window included.
Indices KvpressPyramid(int layers, int slots, double ratio, int window, int beta);

}  // namespace sluice::oracle
