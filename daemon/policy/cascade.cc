// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/accumulated_parameters.h"
#include "daemon/policy/cascade_policy.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultSinkTokens = 64;
constexpr int64_t kDefaultStrideTokens = 1024;
constexpr int64_t kDefaultCascadeTokens = 2048;
constexpr int64_t kDefaultCascades = 4;
constexpr int64_t kMostCascades = 16;
constexpr double kDefaultDecay = 0.9999;

absl::Status ResolveSize(PolicySpec& spec) {
  SLUICE_ASSIGN_OR_RETURN(const int64_t cascades, WholeOr("cascades", spec.cascades,
                                                          kDefaultCascades, 1, kMostCascades));
  const int64_t usual_tokens = kDefaultCascadeTokens / cascades * cascades;
  SLUICE_ASSIGN_OR_RETURN(const int64_t tokens,
                          WholeOr("cascade_tokens", spec.cascade_tokens, usual_tokens, cascades,
                                  kMostCascadeTokens));
  if (tokens % cascades != 0) {
    return RefuseParameter("cascade_tokens",
                           absl::StrCat("is ", tokens, "; must be a multiple of cascades, which is ",
                                        cascades));
  }
  spec.cascades = cascades;
  spec.cascade_tokens = tokens;
  return absl::OkStatus();
}

// By default what the paper takes: 2^i.
absl::Status ResolvePeriods(PolicySpec& spec) {
  if (!spec.periods) {
    spec.periods.emplace();
    for (int64_t i = 0; i < *spec.cascades; ++i) spec.periods->push_back(int64_t{1} << i);
    return absl::OkStatus();
  }
  const auto given = static_cast<int64_t>(spec.periods->size());
  if (given != *spec.cascades) {
    return RefuseParameter("periods", absl::StrCat("has ", given, " numbers; cascades, which is ",
                                                   *spec.cascades, ", wants one each"));
  }
  for (const int64_t period : *spec.periods) {
    SLUICE_RETURN_IF_ERROR(WholeOr("periods", period, period, 1, kMostTokens).status());
  }
  return absl::OkStatus();
}

absl::Status ResolveScore(PolicySpec& spec) {
  SLUICE_ASSIGN_OR_RETURN(spec.decay, DecayOr(spec.decay, kDefaultDecay));
  spec.group_reduce = spec.group_reduce.value_or(HeadReduce::kMax);
  spec.eager_fill = spec.eager_fill.value_or(true);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PolicyPtr> MakeCascade(const PolicySpec& spec, const ModelFacts& model) {
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(
      ResolveCascade({"sink_tokens", "cascade_tokens", "cascades", "periods", "eager_fill",
                      "stride_tokens", "decay", "group_reduce"},
                     kDefaultSinkTokens, kDefaultStrideTokens, resolved));
  SLUICE_RETURN_IF_ERROR(ResolveSize(resolved));
  SLUICE_RETURN_IF_ERROR(ResolvePeriods(resolved));
  SLUICE_RETURN_IF_ERROR(ResolveScore(resolved));
  SLUICE_RETURN_IF_ERROR(CheckCascadeModel(resolved, model));
  CascadeRule rule{
      .sink_tokens = static_cast<int32_t>(*resolved.sink_tokens),
      .ring_slots = static_cast<int32_t>(*resolved.cascade_tokens / *resolved.cascades),
      .periods = *resolved.periods,
      .eager_fill = *resolved.eager_fill,
      .stride_tokens = static_cast<int32_t>(*resolved.stride_tokens)};
  const AccumulatedScore score{.decay = *resolved.decay, .reduce = *resolved.group_reduce};
  return std::make_shared<const CascadePolicy>(std::move(resolved), std::move(rule), score);
}

absl::StatusOr<PolicySpec> CascadeWithBudget(const PolicySpec& spec, int64_t) {
  return RefuseCascadeBudget(spec);
}

}  // namespace sluice
