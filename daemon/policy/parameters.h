// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// How presets read a PolicySpec. Every error is FIELD_INVALID and names the
// parameter as a request does, unless said otherwise. Pure functions.

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/policy/facts.h"
#include "daemon/policy/policy_spec.h"

namespace sluice {

// The most tokens that a parameter may name: positions are int32.
inline constexpr int64_t kMostTokens = std::numeric_limits<int32_t>::max();

// A refusal of one parameter, e.g. "sink_tokens".
absl::Status RefuseParameter(absl::string_view parameter, absl::string_view message);

// An error if `spec` sets a parameter that is not in `allowed`.
absl::Status AllowParameters(const PolicySpec& spec,
                             std::initializer_list<absl::string_view> allowed);

// `value`, or `fallback` if absent: a whole number from `at_least` to `at_most`.
absl::StatusOr<int64_t> WholeOr(absl::string_view parameter, std::optional<int64_t> value,
                                int64_t fallback, int64_t at_least, int64_t at_most);

// The same for a number of tokens, up to kMostTokens.
absl::StatusOr<int64_t> TokensOr(absl::string_view parameter, std::optional<int64_t> value,
                                 int64_t fallback, int64_t at_least);

// `ratio`, or an error if it would keep nothing, more than all, or is not a number.
absl::StatusOr<Ratio> CheckRatio(const Ratio& ratio);

// `layers` in ascending order. An error for a layer that the model lacks, for
// one named twice, or if no layer would be left to compress.
absl::StatusOr<std::vector<int32_t>> CheckSkipLayers(std::vector<int32_t> layers,
                                                     const ModelFacts& model);

// What `given` asks for, or `defaults` if absent; with `every` its hysteresis is
// resolved to `default_hysteresis`. If that is absent the policy takes none, and
// giving one is an error.
absl::StatusOr<TriggerSpec> ResolveTriggers(const std::optional<TriggerSpec>& given,
                                            const TriggerSpec& defaults,
                                            std::optional<int64_t> default_hysteresis);

// The default hysteresis of a flat budget: max(page size, budget / 16).
int64_t DefaultHysteresis(int64_t budget_tokens, const ModelFacts& model);

}  // namespace sluice
