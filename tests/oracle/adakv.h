// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// AdaKV: related-methods.md, section 6. It divides one layer's budget between its heads; scores
// may come from any scorer.

#include "tests/oracle/common.h"

namespace sluice::oracle {

enum class AdaKvRounding { kHalfToEven, kLargestRemainder };

struct AdaKvRule {
  double alpha = 0.2;
  bool normalise = false;  // first times (a head's mass in its best b) / (all its mass)
  AdaKvRounding rounding = AdaKvRounding::kLargestRemainder;
};

struct AdaKvBudgets {
  Indices winners;  // m_h: slots of each head among the layer's best heads * b
  Indices budgets;  // c_h
  Decision decision;
};

// Official form, steps 2 to 4. scores: [heads][slots before the window]; mean_budget: b.
AdaKvBudgets AdaKvLayerBudgets(const Rows& scores, int mean_budget, const AdaKvRule& rule);

// Official form over all layers, each with a mean of capacity - window before the window.
// With fewer than `capacity` slots all stay.
Outcome AdaKv(const LayerScores& scores, int capacity, int window, const AdaKvRule& rule);

// The same with a mean of its own for every layer (a pyramid below it).
Outcome AdaKv(const LayerScores& scores, const Indices& mean_budgets, int window,
              const AdaKvRule& rule);

// kvpress' form of one layer: a floor for every head, the window counted in it first, then the
// lowest of all heads go. `kept` is the mean number of slots, window included.
// scores: [heads][slots before the window]. One layer in the outcome.
Outcome AdaKvSafeguard(const Rows& scores, int kept, int window, double alpha);

// The floor of that form: max(1, int(alpha * kept)); 0 only for alpha 0.
int SafeguardCount(int kept, double alpha);

}  // namespace sluice::oracle
