// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/window_parameters.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/parameters.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultBudgetTokens = 2048;
constexpr int64_t kDefaultPoolWidth = 7;

absl::Status ResolveSize(const WindowDefaults& defaults, PolicySpec& spec) {
  SLUICE_ASSIGN_OR_RETURN(spec.window_tokens,
                          WholeOr("window_tokens", spec.window_tokens, defaults.window_tokens, 1,
                                  kMostWindowTokens));
  SLUICE_ASSIGN_OR_RETURN(
      spec.budget_tokens, TokensOr("budget_tokens", spec.budget_tokens, kDefaultBudgetTokens, 1));
  if (*spec.budget_tokens > *spec.window_tokens) return absl::OkStatus();
  return RefuseParameter("budget_tokens",
                         absl::StrCat("is ", *spec.budget_tokens,
                                      "; must be above window_tokens, which is ",
                                      *spec.window_tokens, " and counts against it"));
}

absl::Status ResolvePool(const WindowDefaults& defaults, PolicySpec& spec) {
  spec.group_reduce = spec.group_reduce.value_or(HeadReduce::kMean);
  if (*spec.group_reduce == HeadReduce::kMedian) {
    return RefuseParameter("group_reduce",
                           "is median, which only a cascade has; allowed: mean, max, sum");
  }
  spec.pool = spec.pool.value_or(defaults.pool);
  if (*spec.pool == ScorePool::kNone) {
    if (!spec.pool_width) return absl::OkStatus();
    return RefuseParameter("pool_width", "is of a pool, but pool is none");
  }
  SLUICE_ASSIGN_OR_RETURN(spec.pool_width, WholeOr("pool_width", spec.pool_width,
                                                   kDefaultPoolWidth, 1, kMostPoolWidth));
  if (*spec.pool_width % 2 == 1) return absl::OkStatus();
  return RefuseParameter("pool_width", absl::StrCat("is ", *spec.pool_width,
                                                    "; must be odd, to have a middle"));
}

}  // namespace

absl::Status ResolveWindow(const WindowDefaults& defaults, const ModelFacts& model,
                           PolicySpec& spec) {
  SLUICE_RETURN_IF_ERROR(ResolveSize(defaults, spec));
  SLUICE_RETURN_IF_ERROR(ResolvePool(defaults, spec));
  SLUICE_ASSIGN_OR_RETURN(spec.triggers,
                          ResolveTriggers(spec.triggers, TriggerSpec{.prefill_end = true},
                                          DefaultHysteresis(*spec.budget_tokens, model)));
  spec.visible = spec.visible.value_or(Visible::kWhenDue);
  spec.shared_prefix = spec.shared_prefix.value_or(SharedPrefix::kCompress);
  return absl::OkStatus();
}

absl::StatusOr<double> RealOr(absl::string_view parameter, std::optional<double> value,
                              double fallback, double at_least, double at_most) {
  const double real = value.value_or(fallback);
  // Written so that NaN fails.
  if (real >= at_least && real <= at_most) return real;
  return RefuseParameter(parameter,
                         absl::StrCat("is ", real, "; allowed: ", at_least, " to ", at_most));
}

WindowScore WindowScoreOf(const PolicySpec& spec) {
  return {.window_tokens = static_cast<int32_t>(*spec.window_tokens),
          .reduce = *spec.group_reduce,
          .pool = *spec.pool,
          .pool_width = static_cast<int32_t>(spec.pool_width.value_or(1))};
}

absl::StatusOr<PolicySpec> WindowWithBudget(const PolicySpec& spec, int64_t budget_tokens) {
  if (budget_tokens <= *spec.window_tokens) {
    return RefuseField("budget_tokens",
                       absl::StrCat("is ", budget_tokens, "; ", spec.preset, " keeps its window of ",
                                    *spec.window_tokens, " tokens and at least 1 before it"));
  }
  PolicySpec changed = spec;
  changed.budget_tokens = budget_tokens;
  return changed;
}

}  // namespace sluice
