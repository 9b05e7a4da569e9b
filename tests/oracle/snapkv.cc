// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/snapkv.h"

#include <algorithm>

#include "tests/oracle/select.h"

namespace sluice::oracle {

PrefixChoice KeepPrefixAndWindow(const Row& scores, int keep, int window) {
  const Selection selection = SelectTop(scores, keep);
  PrefixChoice choice{selection.chosen[0], selection.best_first[0], selection.decisions.back()};
  for (int i = 0; i < window; ++i) choice.kept.push_back(Size(scores) + i);
  return choice;
}

Outcome KeepByBudgets(const LayerScores& scores, const std::vector<Indices>& budgets, int window) {
  Outcome outcome;
  outcome.budgets = budgets;
  for (int layer = 0; layer < Size(scores); ++layer) {
    HeadSets sets;
    for (int head = 0; head < Size(scores[layer]); ++head) {
      PrefixChoice choice = KeepPrefixAndWindow(scores[layer][head], budgets[layer][head], window);
      choice.decision.layer = layer;
      choice.decision.head = head;
      choice.decision.step = Size(scores[layer][head]) + window;
      outcome.decisions.push_back(choice.decision);
      sets.push_back(choice.kept);
    }
    outcome.kept.push_back(sets);
  }
  return outcome;
}

std::vector<Indices> WholeBudgets(const LayerScores& scores) {
  std::vector<Indices> budgets;
  for (const Rows& layer : scores) {
    Indices lengths;
    for (const Row& head : layer) lengths.push_back(Size(head));
    budgets.push_back(lengths);
  }
  return budgets;
}

Outcome SnapKv(const LayerScores& scores, const SnapKvRule& rule) {
  // With fewer slots than the capacity, the prefix is shorter than this and stays whole.
  std::vector<Indices> budgets = WholeBudgets(scores);
  for (Indices& layer : budgets) {
    for (int& budget : layer) budget = std::min(budget, rule.capacity - rule.window);
  }
  return KeepByBudgets(scores, budgets, rule.window);
}

int KvpressCapacity(int slots, double ratio) {
  const double kept_ratio = 1.0 - ratio;
  return std::max(1, static_cast<int>(slots * kept_ratio));
}

}  // namespace sluice::oracle
