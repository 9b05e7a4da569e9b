// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Worked examples of the methods that score by accumulated attention: related methods
// 2(h) and 5(h).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/policy/policy_spec.h"

namespace sluice::golden {

// What a kv head's one query head pays: [rows][slots held, then one new slot a row].
using Payments = std::vector<std::vector<double>>;

// One step of a sequence. A prefill step is marked as the prefill's end.
struct MassStep {
  bool decode = false;
  std::vector<Payments> paid;                // [kv heads]
  std::vector<std::vector<double>> scores;   // [kv heads][slots], before the step's job
  std::vector<std::vector<int32_t>> held;    // [kv heads][kept], after it
};

// A sequence from length 0 on a model of one layer, without sliding window.
struct MassExample {
  std::string name;
  PolicySpec policy;
  std::vector<MassStep> steps;
};

// Acts after every token, as the papers do.
inline TriggerSpec EveryToken() {
  return {.prefill_end = true, .every_tokens = 1, .hysteresis_tokens = 0};
}

// One heavy hitter and two recent tokens.
inline PolicySpec H2oSpec(ScoreNormalise normalise) {
  PolicySpec spec;
  spec.preset = "h2o";
  spec.heavy_tokens = 1;
  spec.recent_tokens = 2;
  spec.normalise = normalise;
  spec.triggers = EveryToken();
  return spec;
}

inline Payments H2oPrompt() {
  return {{1, 0, 0, 0}, {.6, .4, 0, 0}, {.1, .7, .2, 0}, {.1, .5, .1, .3}};
}

inline std::vector<MassExample> H2oExamples() {
  return {
      {"H2o",
       H2oSpec(ScoreNormalise::kNone),
       {{false, {H2oPrompt()}, {{1.8, 1.6, .3, .3}}, {{0, 2, 3}}},
        {true, {{{.2, .5, .1, .2}}}, {{2.0, .8, .4, .2}}, {{0, 3, 4}}}}},
      {"H2oByMeans",
       H2oSpec(ScoreNormalise::kMean),
       {{false, {H2oPrompt()}, {{1.8, 1.6, .3, .3}}, {{1, 2, 3}}}}},
  };
}

// Two heads that share one choice of `budget_tokens`.
inline MassExample TovaExample(std::string name, int64_t budget_tokens,
                               int64_t protect_last_tokens, std::vector<int32_t> held) {
  MassExample example;
  example.name = std::move(name);
  example.policy.preset = "tova";
  example.policy.budget_tokens = budget_tokens;
  example.policy.protect_last_tokens = protect_last_tokens;
  example.policy.triggers = EveryToken();
  const std::vector<double> first = {.1, .2, .3, .4}, second = {.5, .1, .1, .3};
  // Whatever the rows before paid is gone.
  const Payments before = {{1, 0, 0, 0}, {.2, .8, 0, 0}, {.1, .8, .1, 0}};
  MassStep step{false, {before, before}, {first, second}, {held, held}};
  step.paid[0].push_back(first);
  step.paid[1].push_back(second);
  example.steps.push_back(std::move(step));
  return example;
}

inline std::vector<MassExample> TovaExamples() {
  return {TovaExample("Tova", 3, 0, {0, 2, 3}),
          TovaExample("TovaOfOne", 1, 0, {3}),
          TovaExample("TovaWithProtection", 2, 2, {2, 3})};
}

}  // namespace sluice::golden
