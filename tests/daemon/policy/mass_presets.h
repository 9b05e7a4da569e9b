// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "daemon/policy/presets.h"
#include "gtest/gtest.h"

namespace sluice {

// The preset of the spec's name, `h2o` or `tova`, made straight from its file.
inline absl::StatusOr<PolicyPtr> TryMassPreset(const PolicySpec& spec, const ModelFacts& model) {
  return spec.preset == "h2o" ? MakeH2o(spec, model) : MakeTova(spec, model);
}

inline PolicyPtr MassPreset(const PolicySpec& spec, const ModelFacts& model) {
  const auto policy = TryMassPreset(spec, model);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

}  // namespace sluice
