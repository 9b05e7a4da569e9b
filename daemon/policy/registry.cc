// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/registry.h"

#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/policy/parameters.h"
#include "daemon/policy/presets.h"

namespace sluice {
namespace {

struct Preset {
  absl::StatusOr<PolicyPtr> (*make)(const PolicySpec& spec, const ModelFacts& model);
  absl::StatusOr<PolicySpec> (*with_budget)(const PolicySpec& spec, int64_t budget_tokens);
};

constexpr size_t kPresetCount = 11;

constexpr std::array<PresetInfo, kPresetCount> kInfos = {{
    {"full", "keeps every token"},
    {"sink_window", "keeps the first tokens and the newest, at their true positions"},
    {"l2norm", "keeps the tokens whose keys have the lowest L2 norm"},
    {"snapkv", "keeps the newest tokens and those that they attend to most"},
    {"pyramidkv", "as snapkv, from layer to layer fewer"},
    {"adakv", "as snapkv, the heads of a layer sharing its budget by what is attended to"},
    {"dynamickv", "as snapkv, the layers sharing the budget by what is attended to"},
    {"h2o", "keeps the newest tokens and those that gathered the most attention so far"},
    {"tova", "keeps the tokens that the newest one attends to most, a layer's heads the same"},
    {"cascade", "keeps the first tokens and, the older the fewer, others by attention"},
    {"streaming_llm", "keeps the first tokens and the newest, at the cache's own positions"},
}};

// In the order of kInfos.
constexpr std::array<Preset, kPresetCount> kPresets = {{
    {MakeFull, FullWithBudget},
    {MakeSinkWindow, SinkWindowWithBudget},
    {MakeL2Norm, L2NormWithBudget},
    {MakeSnapKv, SnapKvWithBudget},
    {MakePyramidKv, PyramidKvWithBudget},
    {MakeAdaKv, AdaKvWithBudget},
    {MakeDynamicKv, DynamicKvWithBudget},
    {MakeH2o, H2oWithBudget},
    {MakeTova, TovaWithBudget},
    {MakeCascade, CascadeWithBudget},
    {MakeStreamingLlm, StreamingLlmWithBudget},
}};

const Preset* FindPreset(absl::string_view name) {
  for (size_t i = 0; i < kPresetCount; ++i) {
    if (kInfos[i].name == name) return &kPresets[i];
  }
  return nullptr;
}

}  // namespace

std::span<const PresetInfo> Presets() { return kInfos; }

absl::StatusOr<PolicyPtr> MakePolicy(const PolicySpec& spec, const ModelFacts& model) {
  PolicySpec named = spec;
  if (named.preset.empty()) named.preset = "full";
  if (const Preset* preset = FindPreset(named.preset)) return preset->make(named, model);
  const auto append_name = [](std::string* out, const PresetInfo& info) {
    absl::StrAppend(out, info.name);
  };
  return RefuseField("policy.preset", absl::StrCat("is \"", spec.preset, "\"; allowed: ",
                                                   absl::StrJoin(kInfos, ", ", append_name)));
}

absl::StatusOr<PolicyPtr> WithBudget(const Policy& policy, int64_t budget_tokens,
                                     const ModelFacts& model) {
  const Preset* preset = FindPreset(policy.spec().preset);
  SLUICE_CHECK(preset != nullptr) << "preset " << policy.spec().preset;
  if (budget_tokens < 1 || budget_tokens > kMostTokens) {
    return RefuseField("budget_tokens", absl::StrCat("is ", budget_tokens, "; allowed: 1 to ",
                                                     kMostTokens));
  }
  SLUICE_ASSIGN_OR_RETURN(const PolicySpec spec,
                          preset->with_budget(policy.spec(), budget_tokens));
  return preset->make(spec, model);
}

}  // namespace sluice
