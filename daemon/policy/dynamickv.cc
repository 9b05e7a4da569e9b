// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/dynamic_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/window_job.h"
#include "daemon/policy/window_parameters.h"
#include "daemon/policy/window_policy.h"

namespace sluice {
namespace {

constexpr double kDefaultRMax = 10;
constexpr double kMostRMax = 1e6;
constexpr int64_t kDefaultUpdateEveryLayers = 4;

class DynamicKvPolicy final : public WindowPolicy {
 public:
  DynamicKvPolicy(PolicySpec spec, const ModelFacts& model)
      : WindowPolicy(std::move(spec), model),
        updates_(DynamicUpdates(static_cast<int64_t>(rows().layers().size()),
                                *this->spec().update_every_layers)) {}

  int64_t MostSlots(std::span<const RowFacts> held) const override;
  JobRecipe Plan(const JobFacts& facts) const override;
  JobRecipe Budget(const JobFacts& facts, std::span<const int32_t> counts) const override;

 private:
  DynamicBudget FirstBudget(const WindowJob& job) const;

  const std::vector<int64_t> updates_;  // layers seen at each, from the first
};

// The mean over all rows.
int64_t DynamicKvPolicy::MostSlots(std::span<const RowFacts> held) const {
  rows().Check(held);
  if (held.empty()) return 0;
  int64_t slots = 0;
  for (const RowFacts& row : held) slots += row.slots;
  const auto row_count = static_cast<int64_t>(held.size());
  return (slots + row_count - 1) / row_count;
}

JobRecipe DynamicKvPolicy::Plan(const JobFacts& facts) const {
  const WindowJob job(spec(), rows(), facts);
  const std::span<const LayerRows> layers = rows().layers();
  int64_t held_slots = 0;
  for (const LayerRows& layer : layers) held_slots += job.PrefixSlotsOf(layer);
  if (held_slots <= mean_slots() * static_cast<int64_t>(rows().row_count())) return job.KeepAll();
  JobRecipe recipe = job.Recipe();
  for (const int64_t seen : updates_) {
    const int32_t end_row = layers[static_cast<size_t>(seen) - 1].end_row();
    recipe.count_segments.push_back(job.Competition(0, end_row, mean_slots() * end_row));
  }
  return recipe;
}

DynamicBudget DynamicKvPolicy::FirstBudget(const WindowJob& job) const {
  std::vector<DynamicLayer> layers;
  for (const LayerRows& layer : rows().layers()) {
    layers.push_back({.kv_heads = layer.kv_heads, .slots = 0});
    for (int32_t row = layer.first_row; row < layer.end_row(); ++row) {
      layers.back().slots = std::max(layers.back().slots, job.PrefixSlots(static_cast<size_t>(row)));
    }
  }
  return DynamicBudget({.mean_slots = mean_slots(),
                        .r_max = *spec().r_max,
                        .arithmetic = *spec().arithmetic},
                       layers);
}

JobRecipe DynamicKvPolicy::Budget(const JobFacts& facts, std::span<const int32_t> counts) const {
  const size_t row_count = rows().row_count();
  SLUICE_CHECK(counts.size() == updates_.size() * row_count) << counts.size() << " counts";
  const WindowJob job(spec(), rows(), facts);
  DynamicBudget budget = FirstBudget(job);
  for (size_t update = 0; update < updates_.size(); ++update) {
    std::vector<int64_t> winners(static_cast<size_t>(updates_[update]));
    for (size_t layer = 0; layer < winners.size(); ++layer) {
      const LayerRows& of = rows().layers()[layer];
      for (int32_t row = of.first_row; row < of.end_row(); ++row) {
        winners[layer] +=
            job.PrefixWinners(counts[update * row_count + static_cast<size_t>(row)]);
      }
    }
    budget.Update(winners);
  }
  return job.KeepBestOf(rows().OfRows(budget.kept()));
}

// All layers' slots are ranked together, so that none may drop by a rule of its own.
absl::Status CheckModel(const PolicySpec& spec, const ModelFacts& model) {
  const RowTable rows(model);
  for (const LayerRows& layer : rows.layers()) {
    const LayerRows& first = rows.layers().front();
    if (layer.window_tokens != first.window_tokens) {
      return RefuseField("policy.preset",
                         "dynamickv ranks the slots of all layers together; this model's "
                         "layers differ in sliding window");
    }
    if (layer.kv_heads != first.kv_heads && spec.arithmetic == LayerArithmetic::kReference) {
      return RefuseParameter("arithmetic",
                             "reference is for layers of as many kv heads each; this model's "
                             "layers differ, use exact");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeDynamicKv(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"budget_tokens", "window_tokens", "pool", "pool_width", "group_reduce", "r_max",
             "update_every_layers", "arithmetic", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(
      ResolveWindow({.window_tokens = 8, .pool = ScorePool::kAverage}, model, resolved));
  SLUICE_ASSIGN_OR_RETURN(resolved.r_max, RealOr("r_max", spec.r_max, kDefaultRMax, 1, kMostRMax));
  SLUICE_ASSIGN_OR_RETURN(resolved.update_every_layers,
                          TokensOr("update_every_layers", spec.update_every_layers,
                                   kDefaultUpdateEveryLayers, 1));
  resolved.arithmetic = spec.arithmetic.value_or(LayerArithmetic::kExact);
  SLUICE_RETURN_IF_ERROR(CheckModel(resolved, model));
  return std::make_shared<const DynamicKvPolicy>(std::move(resolved), model);
}

absl::StatusOr<PolicySpec> DynamicKvWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  return WindowWithBudget(spec, budget_tokens);
}

}  // namespace sluice
