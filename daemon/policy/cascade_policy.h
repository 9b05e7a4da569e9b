// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the presets share that keep a sequence as a cascade. Errors as in parameters.h.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/policy.h"

namespace sluice {

// The most sinks, and the most tokens of all rings: slots and the tokens of a chunk
// beside them are still far below what an int32 holds.
inline constexpr int64_t kMostCascadeTokens = kMostTokens / 4;
inline constexpr int64_t kMostStrideTokens = 65536;

// No job ever runs: the engine keeps the sequence by PolicyNeeds::cascade alone, on
// request too. Immutable, thread-safe.
class CascadePolicy final : public Policy {
 public:
  // `score`: what decides between two tokens; absent: the newer one wins.
  // REQUIRES: `spec` went through ResolveCascade.
  CascadePolicy(PolicySpec spec, CascadeRule rule, std::optional<AccumulatedScore> score);

  int64_t MostSlots(std::span<const RowFacts>) const override { return 0; }
  bool Acts(Trigger, const SequenceFacts&) const override { return false; }
  // REQUIRES: never called.
  JobRecipe Plan(const JobFacts& facts) const override;
};

// Settles what all cascades have: no triggers, sinks and a stride. `spec` may set the
// parameters `allowed`; an empty `triggers` is how a resolved spec reads.
absl::Status ResolveCascade(std::initializer_list<absl::string_view> allowed,
                            int64_t default_sink_tokens, int64_t default_stride_tokens,
                            PolicySpec& spec);

// Errors: NOT_IN_VERSION, policy.preset: a layer reads another's cache, or has a sliding
// window, which cache positions do not follow.
absl::Status CheckCascadeModel(const PolicySpec& spec, const ModelFacts& model);

// The refusal of another budget.
absl::Status RefuseCascadeBudget(const PolicySpec& spec);

}  // namespace sluice
