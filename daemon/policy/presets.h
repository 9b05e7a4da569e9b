// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The presets, one file each. `Make..` is a preset's MakePolicy, `..WithBudget`
// turns its resolved spec into one that keeps `budget_tokens` a row, both with
// the errors of registry.h. Only the registry calls them.

#include <cstdint>

#include "absl/status/statusor.h"
#include "daemon/policy/policy.h"

namespace sluice {

// Nothing is ever dropped. No parameters.
absl::StatusOr<PolicyPtr> MakeFull(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> FullWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The first tokens and the newest, at their true positions (StreamingLLM,
// section 3.2, without its rolled positions). Defaults: 4 sinks, 512 recent
// tokens; prefill_end and every 32 tokens. Where an earlier policy dropped
// first tokens, the earliest that are held stand in for them.
absl::StatusOr<PolicyPtr> MakeSinkWindow(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> SinkWindowWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The tokens whose keys have the lowest L2 norm (L2-norm eviction). The size is
// * `ratio` of kind kept (the authors' rule; default 0.5, rounded up) of a row
//   that has at least `prune_after_tokens` (default 2048); layers 0 and 1 are
//   skipped unless `skip_layers` says otherwise, where the model has more;
// * `ratio` of kind removed (KnormPress) with `prune_after_tokens` 0 and no
//   layer skipped by default;
// * `budget_tokens` (a fixed count), no layer skipped by default.
// `protect_first_tokens` and `protect_last_tokens` (default 0; cold-compress
// runs with 4 and 10) stay whatever their norm, within the size. Triggers by
// default: prefill_end and every 32 tokens; prefill_end alone where a ratio has
// prune_after_tokens 0, since it would cut again and again.
absl::StatusOr<PolicyPtr> MakeL2Norm(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> L2NormWithBudget(const PolicySpec& spec, int64_t budget_tokens);

}  // namespace sluice
