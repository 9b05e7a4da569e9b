// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the presets share that score by accumulated attention. Errors as in
// parameters.h. Pure functions.

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/policy/accumulated_score.h"
#include "daemon/policy/facts.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/policy_spec.h"

namespace sluice {

// Settles when and on what such a policy acts, with a budget of `budget_tokens`: by
// default prefill_end and every 32 tokens.
// Errors: NOT_IN_VERSION, policy.preset: a layer reads another's cache, whose scores
// would be those of both.
absl::Status ResolveAccumulated(int64_t budget_tokens, const ModelFacts& model,
                                PolicySpec& spec);

// `value`, or `fallback` if absent: above 0, at most 1; NaN is refused.
absl::StatusOr<double> DecayOr(std::optional<double> value, double fallback);

// What such a score needs.
PolicyNeeds NeedsOf(const AccumulatedScore& score);

}  // namespace sluice
