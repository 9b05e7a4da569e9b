// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// From names to policies. Pure functions over a constant table: thread-safe.

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/policy/policy.h"

namespace sluice {

// A preset as the capabilities list it.
struct PresetInfo {
  absl::string_view name;
  absl::string_view description;  // one line
};

// All presets, in the order in which a reader should meet them.
std::span<const PresetInfo> Presets();

// The policy that `spec` asks for, on a model of `model`'s shape.
//
// FIELD_INVALID (INVALID_ARGUMENT), with the field as in a request
// (`policy.preset`, `policy.parameters.sink_tokens`): an unknown preset; a
// parameter that the preset does not have, is out of range, or makes no sense
// beside another. NOT_IN_VERSION: a preset or parameter that this version cannot
// run on such a model.
// REQUIRES: `model` describes a registered model.
absl::StatusOr<PolicyPtr> MakePolicy(const PolicySpec& spec, const ModelFacts& model);

// `policy` with another budget: each head cache keeps `budget_tokens`, what is
// protected included. `sink_window` keeps its sinks and narrows or widens its
// window; `l2norm` becomes a fixed count.
//
// FIELD_INVALID, field `budget_tokens`: below 1, less than what the policy
// protects, or the policy has no budget (`full`) or none that can change (a cascade).
absl::StatusOr<PolicyPtr> WithBudget(const Policy& policy, int64_t budget_tokens,
                                     const ModelFacts& model);

}  // namespace sluice
