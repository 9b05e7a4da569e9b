// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/policy/presets.h"
#include "gtest/gtest.h"

namespace sluice {

inline const std::vector<std::string>& WindowPresetNames() {
  static const std::vector<std::string> names = {"snapkv", "pyramidkv", "adakv", "dynamickv"};
  return names;
}

// The preset of the spec's name made straight from its file.
inline absl::StatusOr<PolicyPtr> TryWindowPreset(const PolicySpec& spec, const ModelFacts& model) {
  if (spec.preset == "snapkv") return MakeSnapKv(spec, model);
  if (spec.preset == "pyramidkv") return MakePyramidKv(spec, model);
  if (spec.preset == "adakv") return MakeAdaKv(spec, model);
  return MakeDynamicKv(spec, model);
}

inline PolicyPtr WindowPreset(const PolicySpec& spec, const ModelFacts& model) {
  const auto policy = TryWindowPreset(spec, model);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

inline absl::StatusOr<PolicySpec> WindowPresetWithBudget(const PolicySpec& spec, int64_t tokens) {
  if (spec.preset == "snapkv") return SnapKvWithBudget(spec, tokens);
  if (spec.preset == "pyramidkv") return PyramidKvWithBudget(spec, tokens);
  if (spec.preset == "adakv") return AdaKvWithBudget(spec, tokens);
  return DynamicKvWithBudget(spec, tokens);
}

// One count a row.
inline std::vector<RowFacts> RowsHolding(const std::vector<int64_t>& slots) {
  std::vector<RowFacts> rows;
  for (const int64_t count : slots) rows.push_back({.slots = count});
  return rows;
}

// What a recipe keeps of each row.
inline std::vector<int64_t> PlacesOf(const JobRecipe& recipe) {
  std::vector<int64_t> places;
  for (const RecipeSegment& segment : recipe.segments) places.push_back(segment.k);
  return places;
}

}  // namespace sluice
