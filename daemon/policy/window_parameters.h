// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// How the window-score presets read a PolicySpec. Errors as in parameters.h. Pure
// functions.

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/policy/facts.h"
#include "daemon/policy/policy_spec.h"
#include "daemon/policy/window_score.h"

namespace sluice {

// The widest window: as many query rows of every layer are kept for a sequence.
inline constexpr int64_t kMostWindowTokens = 4096;
inline constexpr int64_t kMostPoolWidth = 1023;

// What a preset has where the spec says nothing.
struct WindowDefaults {
  int64_t window_tokens = 0;
  ScorePool pool = ScorePool::kMax;
};

// Settles what all window-score presets have: the budget and the window in it, how
// scores are reduced and pooled, and when and on what the policy acts. By default
// 2048 tokens, pools of 7, the mean over a group, and the trigger prefill_end.
absl::Status ResolveWindow(const WindowDefaults& defaults, const ModelFacts& model,
                           PolicySpec& spec);

// `value`, or `fallback` if absent: a real number from `at_least` to `at_most`; NaN is
// refused.
absl::StatusOr<double> RealOr(absl::string_view parameter, std::optional<double> value,
                              double fallback, double at_least, double at_most);

// REQUIRES: `spec` went through ResolveWindow.
WindowScore WindowScoreOf(const PolicySpec& spec);

// `spec` with another budget. Error, field `budget_tokens`: not above the window.
absl::StatusOr<PolicySpec> WindowWithBudget(const PolicySpec& spec, int64_t budget_tokens);

}  // namespace sluice
