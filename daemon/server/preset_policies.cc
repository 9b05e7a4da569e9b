// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/preset_policies.h"

#include <string>

#include "daemon/base/check.h"
#include "daemon/policy/registry.h"

namespace sluice {
namespace {

// Defaults hardly depend on the model; this one has the usual page size and
// enough layers for every default.
ModelFacts UsualModel() {
  constexpr int32_t kLayers = 32;
  constexpr int32_t kKvHeads = 8;
  ModelFacts model;
  model.page_size = 32;
  for (int32_t layer = 0; layer < kLayers; ++layer) {
    model.layers.push_back({.first_row = layer * kKvHeads, .kv_heads = kKvHeads,
                            .window_tokens = 0});
  }
  return model;
}

}  // namespace

std::vector<PolicyPtr> PresetPolicies() {
  std::vector<PolicyPtr> policies;
  for (const PresetInfo& preset : Presets()) {
    PolicySpec spec;
    spec.preset = std::string(preset.name);
    absl::StatusOr<PolicyPtr> policy = MakePolicy(spec, UsualModel());
    SLUICE_CHECK(policy.ok()) << "the defaults of " << spec.preset << ": "
                              << policy.status().ToString();
    policies.push_back(*std::move(policy));
  }
  return policies;
}

}  // namespace sluice
