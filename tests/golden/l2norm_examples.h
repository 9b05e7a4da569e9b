// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Worked examples of L2-norm eviction, with keys (3,4), (1,0), (0,2), (2,2),
// (0,1), whose norms are 5, 1, 2, 2.828, 1.

#include <array>
#include <limits>
#include <vector>

#include "tests/golden/example.h"

namespace sluice::golden {

// The first two dims of the keys of kL2Norms; any others are zero.
inline constexpr std::array<std::array<float, 2>, 6> kL2Keys = {
    {{3, 4}, {1, 0}, {0, 2}, {2, 2}, {0, 1}, {6, 0}}};

inline const std::vector<float> kL2Norms = {5.0f, 1.0f, 2.0f, 2.8284271f, 1.0f, 6.0f};

inline PolicySpec L2Ratio(double value, Ratio::Of of, Ratio::Rounding rounding,
                          int64_t prune_after_tokens) {
  PolicySpec spec;
  spec.preset = "l2norm";
  spec.ratio = Ratio{value, of, rounding};
  spec.prune_after_tokens = prune_after_tokens;
  spec.skip_layers.emplace();
  return spec;
}

inline PolicySpec L2Author(double keep_ratio, int64_t prune_after_tokens) {
  return L2Ratio(keep_ratio, Ratio::Of::kKept, Ratio::Rounding::kCeil, prune_after_tokens);
}

inline PolicySpec L2Count(int64_t budget_tokens) {
  PolicySpec spec;
  spec.preset = "l2norm";
  spec.budget_tokens = budget_tokens;
  return spec;
}

// One job after every decoded token.
inline PolicySpec EveryToken(PolicySpec spec) {
  spec.triggers = TriggerSpec{.prefill_end = true, .every_tokens = 1};
  if (spec.budget_tokens) spec.triggers->hysteresis_tokens = 0;
  return spec;
}

inline Example L2Prefill(std::string name, PolicySpec spec, std::vector<int32_t> held) {
  return {std::move(name), std::move(spec), {kL2Norms}, {{false, 5, {std::move(held)}}}};
}

inline std::vector<Example> L2PrefillExamples() {
  const PolicySpec press = L2Ratio(0.5, Ratio::Of::kRemoved, Ratio::Rounding::kFloor, 0);
  return {
      L2Prefill("AuthorAtPruneAfter", L2Author(0.5, 5), {1, 2, 4}),
      L2Prefill("AuthorBelowPruneAfter", L2Author(0.5, 6), {0, 1, 2, 3, 4}),
      L2Prefill("KnormPress", press, {1, 4}),
      L2Prefill("FixedCountAsABlock", L2Count(3), {1, 2, 4}),
      {"AuthorOnATinyPrompt", L2Author(0.5, 0), {kL2Norms}, {{false, 4, {{1, 2}}}}},
      {"TwoHeads", L2Author(0.5, 5), {kL2Norms, {1, 2, 3, 4, 5}},
       {{false, 5, {{1, 2, 4}, {0, 1, 2}}}}},
  };
}

// Rules of one token at a time: every step brings one and acts.
inline std::vector<Example> L2DecodeExamples() {
  return {
      {"FixedCountOneByOne", EveryToken(L2Count(3)), {kL2Norms},
       {{true, 1, {{0}}},
        {true, 1, {{0, 1}}},
        {true, 1, {{0, 1, 2}}},
        {true, 1, {{1, 2, 3}}},
        {true, 1, {{1, 2, 4}}}}},
      {"TheNewestMayGoAtOnce", EveryToken(L2Count(2)), {kL2Norms},
       {{false, 5, {{1, 4}}}, {true, 1, {{1, 4}}}}},
      {"SawTooth", EveryToken(L2Author(0.5, 4)), {kL2Norms},
       {{true, 1, {{0}}},
        {true, 1, {{0, 1}}},
        {true, 1, {{0, 1, 2}}},
        {true, 1, {{1, 2}}},
        {true, 1, {{1, 2, 4}}}}},
  };
}

// Our own rules where the reference programs differ, and protection.
inline std::vector<Example> L2RuleExamples() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  PolicySpec guarded = L2Count(3);
  guarded.protect_first_tokens = 1;
  guarded.protect_last_tokens = 1;
  PolicySpec guarded_every = EveryToken(guarded);
  return {
      {"TiesKeepTheLowerPosition", L2Count(2), {{1, 1, 1, 1}}, {{false, 4, {{0, 1}}}}},
      {"NotFiniteGoesFirst", L2Count(3), {{kInfinity, 9, 9, 9}}, {{false, 4, {{1, 2, 3}}}}},
      {"ProtectedCountAgainstTheBudget", guarded, {{9, 1, 2, 3, 8}}, {{false, 5, {{0, 1, 4}}}}},
      {"ProtectionMovesOn", guarded_every, {{9, 3, 2, 7, 8}},
       {{false, 3, {{0, 1, 2}}}, {true, 1, {{0, 2, 3}}}, {true, 1, {{0, 2, 4}}}}},
  };
}

}  // namespace sluice::golden
