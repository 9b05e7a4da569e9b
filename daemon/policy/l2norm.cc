// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/ratio_budget.h"
#include "daemon/policy/row_budget_policy.h"

namespace sluice {
namespace {

constexpr Ratio kDefaultRatio{0.5, Ratio::Of::kKept, Ratio::Rounding::kCeil};
constexpr int64_t kDefaultPruneAfterTokens = 2048;
constexpr int64_t kDefaultEveryTokens = 32;

bool IsAuthors(const PolicySpec& spec) {
  return spec.ratio && spec.ratio->of == Ratio::Of::kKept;
}

// The norms of the first two layers say little about attention (section 3).
std::vector<int32_t> DefaultSkipLayers(const PolicySpec& spec, const ModelFacts& model) {
  if (!IsAuthors(spec) || model.layers.size() <= 2) return {};
  return {0, 1};
}

// Settles what decides the size: either budget_tokens, or ratio and
// prune_after_tokens.
absl::Status ResolveSize(PolicySpec& spec) {
  if (spec.budget_tokens) {
    if (spec.ratio) return RefuseParameter("ratio", "excludes budget_tokens; give one of them");
    if (spec.prune_after_tokens) {
      return RefuseParameter("prune_after_tokens", "is for a ratio; a fixed count acts when over");
    }
    return TokensOr("budget_tokens", spec.budget_tokens, 1, 1).status();
  }
  SLUICE_ASSIGN_OR_RETURN(spec.ratio, CheckRatio(spec.ratio.value_or(kDefaultRatio)));
  SLUICE_ASSIGN_OR_RETURN(
      spec.prune_after_tokens,
      TokensOr("prune_after_tokens", spec.prune_after_tokens,
               IsAuthors(spec) ? kDefaultPruneAfterTokens : 0, 0));
  return absl::OkStatus();
}

absl::Status ResolveProtection(PolicySpec& spec) {
  SLUICE_ASSIGN_OR_RETURN(spec.protect_first_tokens,
                          TokensOr("protect_first_tokens", spec.protect_first_tokens, 0, 0));
  SLUICE_ASSIGN_OR_RETURN(spec.protect_last_tokens,
                          TokensOr("protect_last_tokens", spec.protect_last_tokens, 0, 0));
  const int64_t protected_tokens = *spec.protect_first_tokens + *spec.protect_last_tokens;
  if (spec.budget_tokens && *spec.budget_tokens < protected_tokens) {
    return RefuseParameter("budget_tokens",
                           absl::StrCat("is ", *spec.budget_tokens, ", less than the ",
                                        protected_tokens, " protected tokens"));
  }
  return absl::OkStatus();
}

absl::Status ResolveWhenAndWhere(PolicySpec& spec, const ModelFacts& model) {
  if (!spec.skip_layers) spec.skip_layers = DefaultSkipLayers(spec, model);
  SLUICE_ASSIGN_OR_RETURN(spec.skip_layers, CheckSkipLayers(*std::move(spec.skip_layers), model));
  TriggerSpec defaults{.prefill_end = true};
  if (spec.prune_after_tokens != 0) defaults.every_tokens = kDefaultEveryTokens;
  std::optional<int64_t> hysteresis;
  if (spec.budget_tokens) hysteresis = DefaultHysteresis(*spec.budget_tokens, model);
  SLUICE_ASSIGN_OR_RETURN(spec.triggers, ResolveTriggers(spec.triggers, defaults, hysteresis));
  spec.visible = spec.visible.value_or(Visible::kWhenDue);
  spec.shared_prefix = spec.shared_prefix.value_or(SharedPrefix::kCompress);
  return absl::OkStatus();
}

std::unique_ptr<const Budget> BudgetOf(const PolicySpec& spec) {
  if (spec.budget_tokens) return std::make_unique<const FlatBudget>(*spec.budget_tokens);
  return std::make_unique<const RatioBudget>(*spec.ratio, *spec.prune_after_tokens);
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeL2Norm(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"budget_tokens", "ratio", "prune_after_tokens", "skip_layers", "protect_first_tokens",
             "protect_last_tokens", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveSize(resolved));
  SLUICE_RETURN_IF_ERROR(ResolveProtection(resolved));
  SLUICE_RETURN_IF_ERROR(ResolveWhenAndWhere(resolved, model));
  RowBudgetPolicy::Roles roles;
  roles.scorer = Scorer::kKeyNorm;
  roles.budget = BudgetOf(resolved);
  roles.retention = {.first_tokens = *resolved.protect_first_tokens,
                     .last_tokens = *resolved.protect_last_tokens};
  return std::make_shared<const RowBudgetPolicy>(std::move(resolved), std::move(roles), model);
}

absl::StatusOr<PolicySpec> L2NormWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  const int64_t least =
      std::max<int64_t>(1, *spec.protect_first_tokens + *spec.protect_last_tokens);
  if (budget_tokens < least) {
    return RefuseField("budget_tokens", absl::StrCat("is ", budget_tokens, "; at least ", least,
                                                     ", what l2norm protects here"));
  }
  PolicySpec changed = spec;
  changed.ratio.reset();
  changed.prune_after_tokens.reset();
  changed.budget_tokens = budget_tokens;
  return changed;
}

}  // namespace sluice
