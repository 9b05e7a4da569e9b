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

// The next four keep the newest `window_tokens` and, of what lies before, what these
// attend to: `group_reduce` over a group's query heads (default mean), then a pool
// (`pool`, `pool_width`; default max, 7). `budget_tokens` (default 2048) is what a
// head cache keeps on average, window included; a sequence of no more is left alone.
// Trigger by default: prefill_end.

// The same for each head cache (SnapKV; related methods, section 3). Window: 32.
absl::StatusOr<PolicyPtr> MakeSnapKv(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> SnapKvWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// From layer to layer less (PyramidKV; section 4, sums exact). The last layer keeps
// the mean before the window / `beta` (default 20) of it, or `low_end_tokens`.
// Window: 8. Where layers hold different numbers of slots, the fullest decides the
// shape. Budgets are of a head: layers may differ in kv heads.
absl::StatusOr<PolicyPtr> MakePyramidKv(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> PyramidKvWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The heads of a layer share its budget by how many of its best slots are theirs
// (AdaKV; section 6). `head_budget` official: the share `alpha` (default 0.2) is a
// floor, the rest goes by winners; safeguard: the best `alpha` of a head are safe,
// the rest are the layer's best. Scores are not normalised by a head's own mass,
// which counts cannot tell. Window: 32.
absl::StatusOr<PolicyPtr> MakeAdaKv(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> AdaKvWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The layers share the budget by how many of the best slots of all are theirs
// (DynamicKV; core methods, section 1), revised every `update_every_layers`
// (default 4) and at the last; at first a layer keeps up to `r_max` (default 10)
// times the mean. `arithmetic`: exact by default, or the paper's roundings. Window:
// 8; pool: average. Refused for layers that differ in sliding window.
absl::StatusOr<PolicyPtr> MakeDynamicKv(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> DynamicKvWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The next two score by the attention that every query row pays, as it comes; so each
// row goes through the daemon's attend, nothing is rolled back and no prefix adopted.
// Triggers by default: prefill_end and every 32 tokens; every token, without
// hysteresis, is the paper. Refused where a layer reads another's cache.

// The `heavy_tokens` that have gathered the most attention so far, and the newest
// `recent_tokens` (H2O; related methods, section 2). Default: 256 of each; another
// budget is split in the same proportion. `group_reduce`: mean (default) or sum;
// `squared` sums p^2; with `decay` below 1 (default 1) what came earlier counts less;
// `normalise` mean divides by the query rows that saw the slot.
absl::StatusOr<PolicyPtr> MakeH2o(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> H2oWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The `budget_tokens` (default 512) that the newest query attends to most, by the mean
// over all query heads of a layer: its heads hold the same tokens (TOVA; section 5).
// The newest may go at once, unless `protect_last_tokens` (default 0) keeps it.
absl::StatusOr<PolicyPtr> MakeTova(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> TovaWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The next two have no jobs, triggers or budget that changes: tokens move into the body
// as they come, `stride_tokens` at a time in prefill. Keys take the positions of the
// cache, which stay in the trained range however long the stream. Refused where a layer
// reads another's cache or has a sliding window.

// The first `sink_tokens` (default 64), and `cascade_tokens` (default 2048, rounded down
// to a multiple) in `cascades` (default 4) rings of equal size. Ring i takes in what the
// one before displaces at every `periods`[i]th token (default 2^i); at the others that
// fights the ring's newest entry by `decay`ed attention (default 0.9999), reduced over
// a kv head's query heads by `group_reduce` (default max). With `eager_fill` (default)
// all is taken in until the rings are full (Cascading KV cache; core methods, section
// 3). The result depends on `stride_tokens` (default 1024).
absl::StatusOr<PolicyPtr> MakeCascade(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> CascadeWithBudget(const PolicySpec& spec, int64_t budget_tokens);

// The first `sink_tokens` (default 4) and the newest `recent_tokens` (default 512, at
// least 2), which is what a decode step attends to, its own token included
// (StreamingLLM; related methods, section 1). The rows of a chunk see up to
// `stride_tokens` - 1 (default 512) more.
absl::StatusOr<PolicyPtr> MakeStreamingLlm(const PolicySpec& spec, const ModelFacts& model);
absl::StatusOr<PolicySpec> StreamingLlmWithBudget(const PolicySpec& spec, int64_t budget_tokens);

}  // namespace sluice
