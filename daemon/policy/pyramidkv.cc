// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/pyramid_budget.h"
#include "daemon/policy/window_job.h"
#include "daemon/policy/window_parameters.h"
#include "daemon/policy/window_policy.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultBeta = 20;

class PyramidKvPolicy final : public WindowPolicy {
 public:
  PyramidKvPolicy(PolicySpec spec, const ModelFacts& model)
      : WindowPolicy(std::move(spec), model) {}

  int64_t MostSlots(std::span<const RowFacts> held) const override;
  JobRecipe Plan(const JobFacts& facts) const override;

 private:
  // [rows] what each keeps before the window, where the fullest row holds `most_slots`.
  std::vector<int64_t> BudgetsFor(int64_t most_slots) const;
  int64_t low_end_slots() const {
    return spec().low_end_tokens ? *spec().low_end_tokens : mean_slots() / *spec().beta;
  }
};

std::vector<int64_t> PyramidKvPolicy::BudgetsFor(int64_t most_slots) const {
  return rows().OfRows(PyramidBudgets(mean_slots(), low_end_slots(), *spec().window_tokens,
                                      most_slots,
                                      static_cast<int64_t>(rows().layers().size())));
}

// As far above the mean as the row that is furthest above its own budget.
int64_t PyramidKvPolicy::MostSlots(std::span<const RowFacts> held) const {
  rows().Check(held);
  int64_t most_slots = 0;
  for (const RowFacts& row : held) most_slots = std::max(most_slots, row.slots);
  const std::vector<int64_t> budgets = BudgetsFor(most_slots);
  int64_t most = 0;
  for (size_t row = 0; row < held.size(); ++row) {
    most = std::max(most, held[row].slots - budgets[row] + mean_slots());
  }
  return most;
}

JobRecipe PyramidKvPolicy::Plan(const JobFacts& facts) const {
  const WindowJob job(spec(), rows(), facts);
  int64_t most_slots = 0;
  for (size_t row = 0; row < rows().row_count(); ++row) {
    most_slots = std::max(most_slots, job.PrefixSlots(row) + *spec().window_tokens);
  }
  return job.KeepBestOf(BudgetsFor(most_slots));
}

absl::Status ResolveLowEnd(PolicySpec& spec) {
  if (!spec.low_end_tokens) {
    SLUICE_ASSIGN_OR_RETURN(spec.beta, TokensOr("beta", spec.beta, kDefaultBeta, 1));
    return absl::OkStatus();
  }
  if (spec.beta) return RefuseParameter("beta", "excludes low_end_tokens; give one of them");
  return WholeOr("low_end_tokens", spec.low_end_tokens, 0, 0,
                 *spec.budget_tokens - *spec.window_tokens)
      .status();
}

}  // namespace

absl::StatusOr<PolicyPtr> MakePyramidKv(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"budget_tokens", "window_tokens", "pool", "pool_width", "group_reduce", "beta",
             "low_end_tokens", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveWindow({.window_tokens = 8}, model, resolved));
  SLUICE_RETURN_IF_ERROR(ResolveLowEnd(resolved));
  return std::make_shared<const PyramidKvPolicy>(std::move(resolved), model);
}

absl::StatusOr<PolicySpec> PyramidKvWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  const int64_t least = *spec.window_tokens + spec.low_end_tokens.value_or(0);
  if (budget_tokens < least) {
    return RefuseField("budget_tokens",
                       absl::StrCat("is ", budget_tokens, "; at least ", least,
                                    ", what pyramidkv keeps of its last layer here"));
  }
  return WindowWithBudget(spec, budget_tokens);
}

}  // namespace sluice
