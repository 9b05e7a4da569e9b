// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/dynamic_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

__extension__ using Wide = __int128;

int64_t Sum(std::span<const int64_t> values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

// What Python's `//` makes of two positive doubles, which is not always the floor of
// their quotient: 1.0 // 0.1 is 9.
double FloorDivide(double dividend, double divisor) {
  const double quotient = (dividend - std::fmod(dividend, divisor)) / divisor;
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

}  // namespace

std::vector<int64_t> DynamicUpdates(int64_t layers, int64_t update_every_layers) {
  std::vector<int64_t> updates;
  for (int64_t seen = update_every_layers; seen < layers; seen += update_every_layers) {
    updates.push_back(seen);
  }
  updates.push_back(layers);
  return updates;
}

DynamicBudget::DynamicBudget(const DynamicRule& rule, std::span<const DynamicLayer> layers)
    : rule_(rule), layers_(layers.begin(), layers.end()) {
  const auto most = static_cast<int64_t>(rule.r_max * static_cast<double>(rule.mean_slots));
  for (const DynamicLayer& layer : layers_) {
    total_slots_ += rule.mean_slots * layer.kv_heads;
    kept_.push_back(std::min(most, layer.slots));
    first_slots_ = std::max(first_slots_, kept_.back());
  }
}

std::vector<int64_t> DynamicBudget::ExactBudgets(std::span<const int64_t> winners) const {
  const int64_t all_winners = Sum(winners);
  if (all_winners == 0) return std::vector<int64_t>(winners.size(), rule_.mean_slots);
  std::vector<int64_t> budgets;
  int64_t left = total_slots_;
  for (size_t layer = 0; layer < winners.size(); ++layer) {
    const int64_t heads = layers_[layer].kv_heads;
    const Wide share = Wide{total_slots_} * winners[layer] / (Wide{all_winners} * heads);
    budgets.push_back(static_cast<int64_t>(share));
    left -= budgets.back() * heads;
  }
  budgets.back() += left / layers_[winners.size() - 1].kv_heads;
  return budgets;
}

// Names as in the specification: `counts` is cnt, `shares` is u, `scale` is rho.
std::vector<int64_t> DynamicBudget::ReferenceBudgets(std::span<const int64_t> winners) const {
  const auto seen = static_cast<int64_t>(winners.size());
  const bool is_last = winners.size() == layers_.size();
  std::vector<int64_t> counts(winners.begin(), winners.end());
  for (int64_t& count : counts) count /= seen;
  if (is_last) {
    const int64_t heads = layers_.front().kv_heads;
    int64_t slots = 0;
    for (const DynamicLayer& layer : layers_) slots = std::max(slots, layer.slots);
    const int64_t counted = Sum(counts);
    if (counted != heads * slots) counts.back() += rule_.mean_slots * heads - counted;
  }
  const int64_t counted = Sum(counts);
  if (counted == 0) return {};
  std::vector<int64_t> shares;
  for (const int64_t count : counts) {
    const float proportion = static_cast<float>(count) / static_cast<float>(counted);
    shares.push_back(static_cast<int64_t>(static_cast<double>(first_slots_) *
                                          static_cast<double>(proportion)));
  }
  const int64_t need = rule_.mean_slots * static_cast<int64_t>(layers_.size());
  const double scale = static_cast<double>(Sum(shares)) / static_cast<double>(need);
  if (scale == 0) return {};
  std::vector<int64_t> budgets;
  for (const int64_t share : shares) {
    budgets.push_back(static_cast<int64_t>(FloorDivide(static_cast<double>(share), scale)));
  }
  budgets.back() += need - Sum(budgets);
  return budgets;
}

void DynamicBudget::Update(std::span<const int64_t> winners) {
  std::vector<int64_t> budgets;
  if (rule_.arithmetic == LayerArithmetic::kReference) budgets = ReferenceBudgets(winners);
  if (budgets.empty()) budgets = ExactBudgets(winners);
  for (size_t layer = 0; layer < budgets.size(); ++layer) {
    kept_[layer] = std::min(kept_[layer], std::max<int64_t>(budgets[layer], 0));
  }
}

}  // namespace sluice
