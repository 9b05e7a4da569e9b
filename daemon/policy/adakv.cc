// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/adaptive_heads_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/window_job.h"
#include "daemon/policy/window_parameters.h"
#include "daemon/policy/window_policy.h"

namespace sluice {
namespace {

constexpr double kDefaultAlpha = 0.2;

class AdaKvPolicy final : public WindowPolicy {
 public:
  AdaKvPolicy(PolicySpec spec, const ModelFacts& model) : WindowPolicy(std::move(spec), model) {}

  int64_t MostSlots(std::span<const RowFacts> held) const override;
  JobRecipe Plan(const JobFacts& facts) const override;
  JobRecipe Budget(const JobFacts& facts, std::span<const int32_t> counts) const override;
};

// The mean over the heads of the fullest layer.
int64_t AdaKvPolicy::MostSlots(std::span<const RowFacts> held) const {
  rows().Check(held);
  int64_t most = 0;
  for (const LayerRows& layer : rows().layers()) {
    int64_t slots = 0;
    for (int32_t row = layer.first_row; row < layer.end_row(); ++row) {
      slots += held[static_cast<size_t>(row)].slots;
    }
    most = std::max(most, (slots + layer.kv_heads - 1) / layer.kv_heads);
  }
  return most;
}

JobRecipe AdaKvPolicy::Plan(const JobFacts& facts) const {
  const WindowJob job(spec(), rows(), facts);
  JobRecipe recipe = job.Recipe();
  bool over = false;
  for (const LayerRows& layer : rows().layers()) {
    const int64_t budget = layer.kv_heads * mean_slots();
    over = over || job.PrefixSlotsOf(layer) > budget;
    recipe.count_segments.push_back(job.Competition(layer.first_row, layer.end_row(), budget));
  }
  if (!over) return job.KeepAll();
  if (*spec().head_budget == HeadBudget::kSafeguard) {
    // The window is the best of every head, so it uses up the safeguard first.
    recipe.at_least =
        job.BelowSnapshot(SafeguardSlots(*spec().budget_tokens, *spec().alpha));
  }
  return recipe;
}

JobRecipe AdaKvPolicy::Budget(const JobFacts& facts, std::span<const int32_t> counts) const {
  const std::span<const LayerRows> layers = rows().layers();
  SLUICE_CHECK(counts.size() == layers.size() * rows().row_count()) << counts.size() << " counts";
  const WindowJob job(spec(), rows(), facts);
  std::vector<int64_t> budgets;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    std::vector<int64_t> winners;
    std::vector<int64_t> slots;
    for (int32_t row = layers[layer].first_row; row < layers[layer].end_row(); ++row) {
      const auto index = static_cast<size_t>(row);
      winners.push_back(job.PrefixWinners(counts[layer * rows().row_count() + index]));
      slots.push_back(job.PrefixSlots(index));
    }
    if (*spec().head_budget == HeadBudget::kOfficial) {
      winners = ShareByWinners(winners, slots, mean_slots(), *spec().alpha);
    }
    budgets.insert(budgets.end(), winners.begin(), winners.end());
  }
  return job.KeepBestOf(budgets);
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeAdaKv(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"budget_tokens", "window_tokens", "pool", "pool_width", "group_reduce", "alpha",
             "head_budget", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveWindow({.window_tokens = 32}, model, resolved));
  SLUICE_ASSIGN_OR_RETURN(resolved.alpha, RealOr("alpha", spec.alpha, kDefaultAlpha, 0, 1));
  resolved.head_budget = spec.head_budget.value_or(HeadBudget::kOfficial);
  return std::make_shared<const AdaKvPolicy>(std::move(resolved), model);
}

absl::StatusOr<PolicySpec> AdaKvWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  return WindowWithBudget(spec, budget_tokens);
}

}  // namespace sluice
