// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/accumulated_parameters.h"
#include "daemon/policy/flat_budget.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"
#include "daemon/policy/row_budget_policy.h"

namespace sluice {
namespace {

// Half and half, as in the paper's experiments.
constexpr int64_t kDefaultHeavyTokens = 256;
constexpr int64_t kDefaultRecentTokens = 256;

absl::Status ResolveSize(PolicySpec& spec) {
  SLUICE_ASSIGN_OR_RETURN(spec.heavy_tokens,
                          TokensOr("heavy_tokens", spec.heavy_tokens, kDefaultHeavyTokens, 1));
  SLUICE_ASSIGN_OR_RETURN(spec.recent_tokens,
                          TokensOr("recent_tokens", spec.recent_tokens, kDefaultRecentTokens, 1));
  return absl::OkStatus();
}

absl::Status ResolveScore(PolicySpec& spec) {
  spec.group_reduce = spec.group_reduce.value_or(HeadReduce::kMean);
  spec.squared = spec.squared.value_or(false);
  SLUICE_ASSIGN_OR_RETURN(spec.decay, DecayOr(spec.decay, 1.0));
  spec.normalise = spec.normalise.value_or(ScoreNormalise::kNone);
  if (*spec.group_reduce != HeadReduce::kMean && *spec.group_reduce != HeadReduce::kSum) {
    return RefuseParameter(
        "group_reduce",
        absl::StrCat("is ", *spec.group_reduce == HeadReduce::kMax ? "max" : "median",
                     "; sums over several calls have mean or sum"));
  }
  if (*spec.decay < 1 && *spec.normalise == ScoreNormalise::kMean) {
    return RefuseParameter("normalise", "is mean, which is for a sum; but decay is below 1");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeH2o(const PolicySpec& spec, const ModelFacts& model) {
  SLUICE_RETURN_IF_ERROR(
      AllowParameters(spec, {"heavy_tokens", "recent_tokens", "group_reduce", "decay", "squared",
                             "normalise", "triggers", "visible", "shared_prefix"}));
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveSize(resolved));
  SLUICE_RETURN_IF_ERROR(ResolveScore(resolved));
  const int64_t budget_tokens = *resolved.heavy_tokens + *resolved.recent_tokens;
  SLUICE_RETURN_IF_ERROR(ResolveAccumulated(budget_tokens, model, resolved));
  RowBudgetPolicy::Roles roles;
  roles.scorer = Scorer::kAccumulated;
  roles.accumulated_score = {.decay = *resolved.decay,
                             .squared = *resolved.squared,
                             .reduce = *resolved.group_reduce};
  roles.normalise = *resolved.normalise;
  roles.budget = std::make_unique<const FlatBudget>(budget_tokens);
  roles.retention = {.last_tokens = *resolved.recent_tokens};
  return std::make_shared<const RowBudgetPolicy>(std::move(resolved), std::move(roles), model);
}

absl::StatusOr<PolicySpec> H2oWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  if (budget_tokens < 2) {
    return RefuseField("budget_tokens",
                       absl::StrCat("is ", budget_tokens,
                                    "; h2o keeps at least 1 heavy and 1 recent token"));
  }
  const int64_t heavy = *spec.heavy_tokens;
  const int64_t share = budget_tokens * heavy / (heavy + *spec.recent_tokens);
  PolicySpec changed = spec;
  changed.heavy_tokens = std::max<int64_t>(share, 1);
  changed.recent_tokens = budget_tokens - *changed.heavy_tokens;
  return changed;
}

}  // namespace sluice
