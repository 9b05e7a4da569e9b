// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/accumulated_parameters.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/parameters.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultEveryTokens = 32;

}  // namespace

absl::Status ResolveAccumulated(int64_t budget_tokens, const ModelFacts& model,
                                PolicySpec& spec) {
  const auto reads_another = [](const LayerFacts& layer) { return layer.kv_heads == 0; };
  if (std::any_of(model.layers.begin(), model.layers.end(), reads_another)) {
    return Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion, "policy.preset",
                  absl::StrCat("is \"", spec.preset,
                               "\": this version keeps no attention scores of a cache that "
                               "several layers read"));
  }
  SLUICE_ASSIGN_OR_RETURN(
      spec.triggers,
      ResolveTriggers(spec.triggers, {.prefill_end = true, .every_tokens = kDefaultEveryTokens},
                      DefaultHysteresis(budget_tokens, model)));
  spec.visible = spec.visible.value_or(Visible::kWhenDue);
  spec.shared_prefix = spec.shared_prefix.value_or(SharedPrefix::kCompress);
  return absl::OkStatus();
}

absl::StatusOr<double> DecayOr(std::optional<double> value, double fallback) {
  const double decay = value.value_or(fallback);
  // Written so that NaN fails.
  if (decay > 0 && decay <= 1) return decay;
  return RefuseParameter("decay", absl::StrCat("is ", decay, "; allowed: above 0, at most 1"));
}

PolicyNeeds NeedsOf(const AccumulatedScore& score) {
  PolicyNeeds needs;
  needs.q_of_every_row = true;
  needs.allows_rollback = false;  // what a rejected row added cannot be taken back
  needs.adopts_prefix = false;    // nobody saw who attended to it
  needs.accumulated_score = score;
  return needs;
}

}  // namespace sluice
