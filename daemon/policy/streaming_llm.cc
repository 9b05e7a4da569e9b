// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <utility>

#include "daemon/base/status_macros.h"
#include "daemon/policy/cascade_policy.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"

namespace sluice {
namespace {

constexpr int64_t kDefaultSinkTokens = 4;
constexpr int64_t kDefaultRecentTokens = 512;
constexpr int64_t kDefaultStrideTokens = 512;

}  // namespace

absl::StatusOr<PolicyPtr> MakeStreamingLlm(const PolicySpec& spec, const ModelFacts& model) {
  PolicySpec resolved = spec;
  SLUICE_RETURN_IF_ERROR(ResolveCascade({"sink_tokens", "recent_tokens", "stride_tokens"},
                                        kDefaultSinkTokens, kDefaultStrideTokens, resolved));
  SLUICE_ASSIGN_OR_RETURN(resolved.recent_tokens,
                          WholeOr("recent_tokens", spec.recent_tokens, kDefaultRecentTokens, 2,
                                  kMostCascadeTokens));
  SLUICE_RETURN_IF_ERROR(CheckCascadeModel(resolved, model));
  // The token that a decode step brings is itself the newest of the recent ones.
  CascadeRule rule{.sink_tokens = static_cast<int32_t>(*resolved.sink_tokens),
                   .ring_slots = static_cast<int32_t>(*resolved.recent_tokens - 1),
                   .periods = {1},
                   .eager_fill = true,
                   .stride_tokens = static_cast<int32_t>(*resolved.stride_tokens)};
  return std::make_shared<const CascadePolicy>(std::move(resolved), std::move(rule), std::nullopt);
}

absl::StatusOr<PolicySpec> StreamingLlmWithBudget(const PolicySpec& spec, int64_t) {
  return RefuseCascadeBudget(spec);
}

}  // namespace sluice
