// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/cascade_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

PolicyNeeds NeedsOf(CascadeRule rule, std::optional<AccumulatedScore> score) {
  PolicyNeeds needs;
  needs.q_of_every_row = true;
  needs.k_v_q_in_one_call = true;  // a chunk attends to itself before it is inserted
  needs.rope_table = true;
  needs.allows_rollback = false;  // what the rings gave up is gone
  needs.adopts_prefix = false;    // what they hold depends on the whole history
  needs.accumulated_score = score;
  needs.cascade = std::move(rule);
  return needs;
}

}  // namespace

CascadePolicy::CascadePolicy(PolicySpec spec, CascadeRule rule,
                             std::optional<AccumulatedScore> score)
    : Policy(std::move(spec), NeedsOf(std::move(rule), score), 0) {}

JobRecipe CascadePolicy::Plan(const JobFacts& facts) const {
  SLUICE_CHECK(false) << spec().preset << " has no jobs, asked to plan one at "
                      << facts.length_tokens << " tokens";
  return {};
}

absl::Status ResolveCascade(std::initializer_list<absl::string_view> allowed,
                            int64_t default_sink_tokens, int64_t default_stride_tokens,
                            PolicySpec& spec) {
  if (spec.triggers == TriggerSpec{}) spec.triggers.reset();
  SLUICE_RETURN_IF_ERROR(AllowParameters(spec, allowed));
  SLUICE_ASSIGN_OR_RETURN(spec.sink_tokens,
                          WholeOr("sink_tokens", spec.sink_tokens, default_sink_tokens, 0,
                                  kMostCascadeTokens));
  SLUICE_ASSIGN_OR_RETURN(spec.stride_tokens,
                          WholeOr("stride_tokens", spec.stride_tokens, default_stride_tokens, 1,
                                  kMostStrideTokens));
  spec.triggers = TriggerSpec{};
  return absl::OkStatus();
}

absl::Status CheckCascadeModel(const PolicySpec& spec, const ModelFacts& model) {
  const auto refuse = [&spec](absl::string_view why) {
    return Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion, "policy.preset",
                  absl::StrCat("is \"", spec.preset, "\": this version cascades no ", why));
  };
  const auto reads_another = [](const LayerFacts& layer) { return layer.kv_heads == 0; };
  if (std::any_of(model.layers.begin(), model.layers.end(), reads_another)) {
    return refuse("cache that several layers read");
  }
  const auto has_window = [](const LayerFacts& layer) { return layer.window_tokens > 0; };
  if (std::any_of(model.layers.begin(), model.layers.end(), has_window)) {
    return refuse("layer with a sliding window");
  }
  return absl::OkStatus();
}

absl::Status RefuseCascadeBudget(const PolicySpec& spec) {
  return RefuseField("budget_tokens",
                     absl::StrCat("preset ", spec.preset, " keeps its size; it has no jobs"));
}

}  // namespace sluice
