// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/adakv.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/oracle/select.h"
#include "tests/oracle/snapkv.h"

namespace sluice::oracle {
namespace {

// Quotas are a few products in double; what differs by less than this is equal.
constexpr double kSameQuota = 1e-9;

double Sum(const Row& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

Rows Normalised(Rows scores, int mean_budget) {
  for (Row& head : scores) {
    const double best = Sum(Gather(head, SelectTop(head, mean_budget).chosen[0]));
    const double all = Sum(head);
    for (double& score : head) score *= all > 0 ? best / all : 0;
  }
  return scores;
}

Indices RoundedHalfToEven(const Row& quotas) {
  Indices rounded;
  for (double quota : quotas) rounded.push_back(static_cast<int>(std::nearbyint(quota)));
  return rounded;
}

// Floors, then one more at a time to whoever is furthest below its quota, ties to the lower head,
// never above `most`, until the sum is `total`.
Indices RoundedToTotal(const Row& quotas, int total, const Indices& most) {
  Indices rounded;
  for (double quota : quotas) rounded.push_back(static_cast<int>(std::floor(quota + kSameQuota)));
  int missing = total - std::accumulate(rounded.begin(), rounded.end(), 0);
  for (; missing > 0; --missing) {
    int neediest = -1;
    for (int head = 0; head < Size(quotas); ++head) {
      if (rounded[head] >= most[head]) continue;
      const bool needier = neediest < 0 || quotas[head] - rounded[head] >
                                               quotas[neediest] - rounded[neediest] + kSameQuota;
      if (needier) neediest = head;
    }
    if (neediest < 0) break;
    ++rounded[neediest];
  }
  return rounded;
}

}  // namespace

AdaKvBudgets AdaKvLayerBudgets(const Rows& scores, int mean_budget, const AdaKvRule& rule) {
  const int heads = Size(scores);
  const Selection winners =
      SelectTop(rule.normalise ? Normalised(scores, mean_budget) : scores, heads * mean_budget);
  const int floor = static_cast<int>(rule.alpha * mean_budget);
  AdaKvBudgets result;
  result.decision = winners.decisions.back();
  Row quotas;
  Indices lengths;
  for (int head = 0; head < heads; ++head) {
    result.winners.push_back(winners.count(head));
    lengths.push_back(Size(scores[head]));
    quotas.push_back((1 - rule.alpha) * winners.count(head) + floor);
  }
  result.budgets = rule.rounding == AdaKvRounding::kHalfToEven
                       ? RoundedHalfToEven(quotas)
                       : RoundedToTotal(quotas, heads * mean_budget, lengths);
  for (int head = 0; head < heads; ++head) {
    result.budgets[head] = std::min(result.budgets[head], lengths[head]);
  }
  return result;
}

Outcome AdaKv(const LayerScores& scores, const Indices& mean_budgets, int window,
              const AdaKvRule& rule) {
  std::vector<Indices> budgets;
  DecisionLog shares;
  for (int layer = 0; layer < Size(scores); ++layer) {
    AdaKvBudgets divided = AdaKvLayerBudgets(scores[layer], mean_budgets[layer], rule);
    divided.decision.layer = layer;
    divided.decision.step = Size(scores[layer][0]) + window;
    shares.push_back(divided.decision);
    budgets.push_back(divided.budgets);
  }
  Outcome outcome = KeepByBudgets(scores, budgets, window);
  outcome.decisions.insert(outcome.decisions.begin(), shares.begin(), shares.end());
  return outcome;
}

Outcome AdaKv(const LayerScores& scores, int capacity, int window, const AdaKvRule& rule) {
  if (Size(scores[0][0]) + window < capacity) {
    return KeepByBudgets(scores, WholeBudgets(scores), window);
  }
  return AdaKv(scores, Indices(scores.size(), capacity - window), window, rule);
}

int SafeguardCount(int kept, double alpha) {
  return alpha == 0 ? 0 : std::max(1, static_cast<int>(alpha * kept));
}

Outcome AdaKvSafeguard(const Rows& scores, int kept, int window, double alpha) {
  SelectRequest request;
  request.k = Size(scores) * kept;
  for (const Row& head : scores) {
    Row whole = head;
    std::vector<bool> is_window(head.size(), false);
    whole.resize(head.size() + window, 0.0);
    is_window.resize(head.size() + window, true);
    request.scores.push_back(whole);
    request.is_protected.push_back(is_window);
    request.at_least.push_back(std::min(SafeguardCount(kept, alpha), Size(whole)));
  }
  const Selection selection = Select(request);
  Outcome outcome;
  outcome.kept = {selection.chosen};
  outcome.budgets.emplace_back();
  for (const Indices& head : selection.chosen) outcome.budgets[0].push_back(Size(head) - window);
  outcome.decisions = selection.decisions;
  return outcome;
}

}  // namespace sluice::oracle
