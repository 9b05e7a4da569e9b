// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// SnapKV: related-methods.md, section 3. Its scores are those of window_scores.h.

#include "tests/oracle/common.h"

namespace sluice::oracle {

// The head's `keep` best of the slots before the window, then the window: what every method
// that scores by a window does once it has its budget. scores: [slots before the window]
struct PrefixChoice {
  Indices kept;        // with the window, ascending
  Indices best_first;  // without it, in descending score
  Decision decision;
};
PrefixChoice KeepPrefixAndWindow(const Row& scores, int keep, int window);

// Applies KeepPrefixAndWindow to every layer and head; budgets: [layers][heads].
Outcome KeepByBudgets(const LayerScores& scores, const std::vector<Indices>& budgets, int window);

// All slots before the window of every layer and head, as budgets.
std::vector<Indices> WholeBudgets(const LayerScores& scores);

struct SnapKvRule {
  int capacity = 2048;  // C_total, with the window
  int window = 32;
};

// scores: [layers][heads][slots before the window]. With fewer than `capacity` slots all stay.
Outcome SnapKv(const LayerScores& scores, const SnapKvRule& rule);

// C_total of kvpress: max(1, int(slots * (1.0 - ratio))).
int KvpressCapacity(int slots, double ratio);

}  // namespace sluice::oracle
