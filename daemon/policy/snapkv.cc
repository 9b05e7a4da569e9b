// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/row_budget_policy.h"
#include "daemon/policy/window_parameters.h"

namespace sluice {

absl::StatusOr<PolicyPtr> MakeSnapKv(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(
      AllowParameters(spec, {"budget_tokens", "window_tokens", "pool", "pool_width",
                             "group_reduce", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveWindow({.window_tokens = 32}, model, resolved));
  RowBudgetPolicy::Roles roles;
  roles.scorer = Scorer::kWindow;
  roles.window_score = WindowScoreOf(resolved);
  roles.budget = std::make_unique<const FlatBudget>(*resolved.budget_tokens);
  roles.retention = {.last_tokens = *resolved.window_tokens};
  return std::make_shared<const RowBudgetPolicy>(std::move(resolved), std::move(roles), model);
}

absl::StatusOr<PolicySpec> SnapKvWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  return WindowWithBudget(spec, budget_tokens);
}

}  // namespace sluice
