// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/row_budget_policy.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultSinkTokens = 4;
constexpr int64_t kDefaultRecentTokens = 512;
constexpr int64_t kDefaultEveryTokens = 32;

}  // namespace

absl::StatusOr<PolicyPtr> MakeSinkWindow(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(AllowParameters(
      spec, {"sink_tokens", "recent_tokens", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_ASSIGN_OR_RETURN(const int64_t sinks,
                          TokensOr("sink_tokens", spec.sink_tokens, kDefaultSinkTokens, 0));
  SLUICE_ASSIGN_OR_RETURN(const int64_t recent,
                          TokensOr("recent_tokens", spec.recent_tokens, kDefaultRecentTokens, 1));
  SLUICE_ASSIGN_OR_RETURN(
      resolved.triggers,
      ResolveTriggers(spec.triggers,
                      {.prefill_end = true, .every_tokens = kDefaultEveryTokens},
                      DefaultHysteresis(sinks + recent, model)));
  resolved.sink_tokens = sinks;
  resolved.recent_tokens = recent;
  resolved.visible = spec.visible.value_or(Visible::kWhenDue);
  resolved.shared_prefix = spec.shared_prefix.value_or(SharedPrefix::kCompress);
  RowBudgetPolicy::Roles roles;
  roles.budget = std::make_unique<const FlatBudget>(sinks + recent);
  roles.retention = {.first_tokens = sinks, .last_tokens = recent, .only_protected = true};
  return std::make_shared<const RowBudgetPolicy>(std::move(resolved), std::move(roles), model);
}

absl::StatusOr<PolicySpec> SinkWindowWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  if (budget_tokens <= *spec.sink_tokens) {
    return RefuseField("budget_tokens",
                       absl::StrCat("is ", budget_tokens, "; sink_window keeps ",
                                    *spec.sink_tokens, " sinks and at least 1 recent token"));
  }
  PolicySpec changed = spec;
  changed.recent_tokens = budget_tokens - *spec.sink_tokens;
  return changed;
}

}  // namespace sluice
