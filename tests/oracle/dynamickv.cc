// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/dynamickv.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/oracle/select.h"
#include "tests/oracle/snapkv.h"

namespace sluice::oracle {
namespace {

int Sum(const Indices& counts) { return std::accumulate(counts.begin(), counts.end(), 0); }

// bs of a layer
int TemporaryBudget(const DynamicKvRule& rule, int prefix) {
  return std::min(static_cast<int>(rule.r_max * rule.base()), prefix);
}

// B_j = floor(base * L * raw_j / sum(raw)), what is missing to the last layer.
Indices ExactBudgets(const Indices& raw, int layers, const DynamicKvRule& rule) {
  const long need = static_cast<long>(rule.base()) * layers;
  const int sum = Sum(raw);
  Indices budgets;
  for (int count : raw) budgets.push_back(sum > 0 ? static_cast<int>(need * count / sum) : 0);
  budgets.back() += static_cast<int>(need) - Sum(budgets);
  return budgets;
}

// Steps 2 and 3.
Indices CountsByLayers(const Indices& raw, int layers, int heads, const Indices& prefix,
                       const DynamicKvRule& rule) {
  const int seen = Size(raw);
  Indices counts;
  for (int count : raw) counts.push_back(count / seen);
  if (seen == layers && Sum(counts) != heads * prefix.back()) {
    const int top = rule.base() * heads * seen;
    counts.back() += top / layers - Sum(counts);
  }
  return counts;
}

Indices ReferenceBudgets(const Indices& raw, int layers, int heads, const Indices& prefix,
                         const DynamicKvRule& rule) {
  const Indices counts = CountsByLayers(raw, layers, heads, prefix, rule);
  const int sum = Sum(counts);
  if (sum == 0) return ExactBudgets(raw, layers, rule);
  Indices shares;  // u_j
  for (int layer = 0; layer < Size(raw); ++layer) {
    const float p = static_cast<float>(counts[layer]) / static_cast<float>(sum);
    const double share = TemporaryBudget(rule, prefix[layer]) * static_cast<double>(p);
    shares.push_back(static_cast<int>(share));
  }
  if (Sum(shares) == 0) return ExactBudgets(raw, layers, rule);
  const int need = rule.base() * layers;
  const double rho = static_cast<double>(Sum(shares)) / need;
  Indices budgets;
  for (int share : shares) budgets.push_back(static_cast<int>(FloorDivide(share, rho)));
  budgets.back() += need - Sum(budgets);
  return budgets;
}

// Whether a reallocation follows layer `layers` - 1; the last layer always has one.
bool IsUpdate(int layers, const LayerScores& scores, const DynamicKvRule& rule) {
  return layers % rule.update_every == 0 || layers == Size(scores);
}

// The best base * heads * c of the scores of layers [0, c), by layer.
struct Winners {
  Indices raw;
  Decision decision;
};
Winners CountWinners(const LayerScores& scores, int layers, const DynamicKvRule& rule) {
  const int heads = Size(scores[0]);
  Rows all;
  for (int layer = 0; layer < layers; ++layer) {
    all.insert(all.end(), scores[layer].begin(), scores[layer].end());
  }
  const Selection top = SelectTop(all, rule.base() * heads * layers);
  Winners winners{Indices(layers, 0), top.decisions.back()};
  for (int row = 0; row < Size(all); ++row) winners.raw[row / heads] += top.count(row);
  winners.decision.step = layers;
  winners.decision.layer = layers - 1;
  return winners;
}

LayerSets StoredOrder(const LayerScores& scores, const Indices& lengths, int window) {
  LayerSets stored;
  for (int layer = 0; layer < Size(scores); ++layer) {
    HeadSets sets;
    for (const Row& head : scores[layer]) {
      Indices order = KeepPrefixAndWindow(head, lengths[layer], window).best_first;
      for (int i = 0; i < window; ++i) order.push_back(Size(head) + i);
      sets.push_back(order);
    }
    stored.push_back(sets);
  }
  return stored;
}

DynamicKvOutcome KeepAll(const LayerScores& scores, const DynamicKvRule& rule) {
  DynamicKvOutcome result;
  result.outcome = KeepByBudgets(scores, WholeBudgets(scores), rule.window);
  result.stored = result.outcome.kept;
  return result;
}

// r_j of the layers that an update leaves, from those before it.
void Shrink(Indices& lengths, const Indices& budgets, const Indices& prefix) {
  for (int layer = 0; layer < Size(budgets); ++layer) {
    const int budget = std::clamp(budgets[layer], 0, prefix[layer]);
    lengths[layer] = std::min(lengths[layer], budget);
  }
}

}  // namespace

double FloorDivide(double a, double b) {
  const double remainder = std::fmod(a, b);
  const double quotient = (a - remainder) / b - (remainder != 0 && (remainder < 0) != (b < 0));
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Indices DynamicKvBudgets(const Indices& raw, int layers, int heads, const Indices& prefix,
                         const DynamicKvRule& rule) {
  return rule.arithmetic == DynamicKvArithmetic::kReference
             ? ReferenceBudgets(raw, layers, heads, prefix, rule)
             : ExactBudgets(raw, layers, rule);
}

DynamicKvOutcome DynamicKv(const LayerScores& scores, const DynamicKvRule& rule) {
  const int layers = Size(scores);
  const int heads = Size(scores[0]);
  Indices prefix;  // P_j
  for (const Rows& layer : scores) prefix.push_back(Size(layer[0]));
  if (*std::max_element(prefix.begin(), prefix.end()) <= rule.base()) return KeepAll(scores, rule);

  DynamicKvOutcome result;
  DecisionLog decisions;
  Indices lengths;  // r_j
  for (int length : prefix) lengths.push_back(TemporaryBudget(rule, length));
  for (int seen = 1; seen <= layers; ++seen) {
    if (!IsUpdate(seen, scores, rule)) continue;
    const Winners winners = CountWinners(scores, seen, rule);
    const Indices budgets = DynamicKvBudgets(winners.raw, layers, heads, prefix, rule);
    Shrink(lengths, budgets, prefix);
    decisions.push_back(winners.decision);
    result.updates.push_back(
        {seen, winners.raw, budgets, Indices(lengths.begin(), lengths.begin() + seen)});
  }
  std::vector<Indices> by_head;
  for (int length : lengths) by_head.emplace_back(heads, length);
  result.outcome = KeepByBudgets(scores, by_head, rule.window);
  result.outcome.decisions.insert(result.outcome.decisions.begin(), decisions.begin(),
                                  decisions.end());
  result.stored = StoredOrder(scores, lengths, rule.window);
  return result;
}

}  // namespace sluice::oracle
