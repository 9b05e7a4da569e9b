// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/parameters.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr absl::string_view kPrefix = "policy.parameters.";

std::vector<absl::string_view> ParametersOf(const PolicySpec& spec) {
  std::vector<absl::string_view> names;
  if (spec.sink_tokens) names.push_back("sink_tokens");
  if (spec.recent_tokens) names.push_back("recent_tokens");
  if (spec.budget_tokens) names.push_back("budget_tokens");
  if (spec.ratio) names.push_back("ratio");
  if (spec.prune_after_tokens) names.push_back("prune_after_tokens");
  if (spec.skip_layers) names.push_back("skip_layers");
  if (spec.protect_first_tokens) names.push_back("protect_first_tokens");
  if (spec.protect_last_tokens) names.push_back("protect_last_tokens");
  if (spec.window_tokens) names.push_back("window_tokens");
  if (spec.pool) names.push_back("pool");
  if (spec.pool_width) names.push_back("pool_width");
  if (spec.group_reduce) names.push_back("group_reduce");
  if (spec.beta) names.push_back("beta");
  if (spec.low_end_tokens) names.push_back("low_end_tokens");
  if (spec.alpha) names.push_back("alpha");
  if (spec.head_budget) names.push_back("head_budget");
  if (spec.r_max) names.push_back("r_max");
  if (spec.update_every_layers) names.push_back("update_every_layers");
  if (spec.arithmetic) names.push_back("arithmetic");
  if (spec.heavy_tokens) names.push_back("heavy_tokens");
  if (spec.decay) names.push_back("decay");
  if (spec.squared) names.push_back("squared");
  if (spec.normalise) names.push_back("normalise");
  if (spec.cascade_tokens) names.push_back("cascade_tokens");
  if (spec.cascades) names.push_back("cascades");
  if (spec.periods) names.push_back("periods");
  if (spec.eager_fill) names.push_back("eager_fill");
  if (spec.stride_tokens) names.push_back("stride_tokens");
  if (spec.triggers) names.push_back("triggers");
  if (spec.visible) names.push_back("visible");
  if (spec.shared_prefix) names.push_back("shared_prefix");
  return names;
}

absl::Status CheckTriggers(const TriggerSpec& triggers) {
  if (triggers.once && !triggers.prefill_end) {
    return RefuseParameter("triggers.once", "means the first end of prefill; needs prefill_end");
  }
  if (triggers.every_tokens) {
    return TokensOr("triggers.every.tokens", triggers.every_tokens, 1, 1).status();
  }
  if (triggers.hysteresis_tokens) {
    return RefuseParameter("triggers.every.hysteresis_tokens", "is of `every`, which is not given");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RefuseParameter(absl::string_view parameter, absl::string_view message) {
  return RefuseField(absl::StrCat(kPrefix, parameter), message);
}

absl::Status AllowParameters(const PolicySpec& spec,
                             std::initializer_list<absl::string_view> allowed) {
  for (const absl::string_view name : ParametersOf(spec)) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    return RefuseParameter(
        name, absl::StrCat("preset ", spec.preset, " does not have it, but ",
                           allowed.size() == 0 ? "no parameters" : absl::StrJoin(allowed, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> WholeOr(absl::string_view parameter, std::optional<int64_t> value,
                                int64_t fallback, int64_t at_least, int64_t at_most) {
  const int64_t whole = value.value_or(fallback);
  if (whole >= at_least && whole <= at_most) return whole;
  return RefuseParameter(
      parameter, absl::StrCat("is ", whole, "; allowed: ", at_least, " to ", at_most));
}

absl::StatusOr<int64_t> TokensOr(absl::string_view parameter, std::optional<int64_t> value,
                                 int64_t fallback, int64_t at_least) {
  return WholeOr(parameter, value, fallback, at_least, kMostTokens);
}

absl::StatusOr<Ratio> CheckRatio(const Ratio& ratio) {
  const bool kept = ratio.of == Ratio::Of::kKept;
  // Written so that NaN fails.
  if (kept ? ratio.value > 0 && ratio.value <= 1 : ratio.value >= 0 && ratio.value < 1) {
    return ratio;
  }
  return RefuseParameter(
      "ratio.value",
      absl::StrCat("is ", ratio.value, "; allowed: ",
                   kept ? "above 0, at most 1, for a kept share"
                        : "at least 0, below 1, for a removed share"));
}

absl::StatusOr<std::vector<int32_t>> CheckSkipLayers(std::vector<int32_t> layers,
                                                     const ModelFacts& model) {
  std::sort(layers.begin(), layers.end());
  const auto twice = std::adjacent_find(layers.begin(), layers.end());
  if (twice != layers.end()) {
    return RefuseParameter("skip_layers", absl::StrCat("names layer ", *twice, " twice"));
  }
  const auto layer_count = static_cast<int64_t>(model.layers.size());
  for (const int32_t layer : layers) {
    if (layer >= 0 && layer < layer_count) continue;
    return RefuseParameter("skip_layers", absl::StrCat("names layer ", layer, " of a model of ",
                                                       layer_count, " layers"));
  }
  if (static_cast<int64_t>(layers.size()) == layer_count) {
    return RefuseParameter("skip_layers", "names every layer; the preset full keeps everything");
  }
  return layers;
}

absl::StatusOr<TriggerSpec> ResolveTriggers(const std::optional<TriggerSpec>& given,
                                            const TriggerSpec& defaults,
                                            std::optional<int64_t> default_hysteresis) {
  TriggerSpec triggers = given.value_or(defaults);
  SLUICE_RETURN_IF_ERROR(CheckTriggers(triggers));
  if (!triggers.every_tokens) return triggers;
  if (default_hysteresis) {
    SLUICE_ASSIGN_OR_RETURN(triggers.hysteresis_tokens,
                            TokensOr("triggers.every.hysteresis_tokens",
                                     triggers.hysteresis_tokens, *default_hysteresis, 0));
  } else if (triggers.hysteresis_tokens) {
    return RefuseParameter("triggers.every.hysteresis_tokens",
                           "is for a fixed budget; with a ratio prune_after_tokens decides");
  }
  return triggers;
}

int64_t DefaultHysteresis(int64_t budget_tokens, const ModelFacts& model) {
  return std::max(model.page_size, budget_tokens / 16);
}

}  // namespace sluice
