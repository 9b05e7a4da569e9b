// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Worked examples of the window-score methods: related methods 3(h), 4(h), 6(h) and
// core methods 1(i), the pooling checks included.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/policy/policy_spec.h"

namespace sluice::golden {

// A prefill in one step on a model of `layers` layers, and what is held after it.
struct WindowExample {
  std::string name;
  PolicySpec policy;
  int32_t layers = 1;
  int32_t kv_heads = 1;
  // [rows][tokens before the window]: scores over the window, before pooling
  std::vector<std::vector<float>> scores;
  std::vector<std::vector<int32_t>> held;  // [rows][kept]

  int64_t tokens() const {
    return static_cast<int64_t>(scores[0].size()) + *policy.window_tokens;
  }
};

// `budget_tokens` includes a window of 2; pool_width is absent without a pool.
inline PolicySpec WindowSpec(std::string preset, int64_t budget_tokens, ScorePool pool,
                             std::optional<int64_t> pool_width = std::nullopt) {
  PolicySpec spec;
  spec.preset = std::move(preset);
  spec.budget_tokens = budget_tokens;
  spec.window_tokens = 2;
  spec.pool = pool;
  spec.pool_width = pool_width;
  return spec;
}

inline std::vector<WindowExample> SnapKvExamples() {
  const std::vector<std::vector<float>> scores = {{.30f, .02f, .02f, .40f, .02f, .04f}};
  const std::vector<std::vector<float>> steps = {{0, 0, 6, 0, 0, 0, 3}};
  return {
      {"SnapKvAverage", WindowSpec("snapkv", 5, ScorePool::kAverage, 3), 1, 1, scores,
       {{2, 3, 4, 6, 7}}},
      {"SnapKvMax", WindowSpec("snapkv", 5, ScorePool::kMax, 3), 1, 1, scores,
       {{2, 3, 4, 6, 7}}},
      {"SnapKvWithoutPool", WindowSpec("snapkv", 5, ScorePool::kNone), 1, 1, scores,
       {{0, 3, 5, 6, 7}}},
      {"PlateausByMax", WindowSpec("snapkv", 5, ScorePool::kMax, 3), 1, 1, steps,
       {{1, 2, 3, 7, 8}}},
      {"PlateausByAverage", WindowSpec("snapkv", 5, ScorePool::kAverage, 3), 1, 1, steps,
       {{1, 2, 3, 7, 8}}},
  };
}

// Four layers whose earliest tokens score highest, a budget of 64 with a window of 8;
// `kept[layer]` are held before the window.
inline WindowExample PyramidKvExample(std::string name, int32_t tokens,
                                      const std::vector<int32_t>& kept) {
  WindowExample example{std::move(name), WindowSpec("pyramidkv", 64, ScorePool::kNone), 4, 1,
                        {}, {}};
  example.policy.window_tokens = 8;
  const int32_t prefix = tokens - 8;
  for (const int32_t count : kept) {
    std::vector<float>& scores = example.scores.emplace_back();
    std::vector<int32_t>& held = example.held.emplace_back();
    for (int32_t t = 0; t < tokens; ++t) {
      if (t < prefix) scores.push_back(static_cast<float>(tokens - t));
      if (t < count || t >= prefix) held.push_back(t);
    }
  }
  return example;
}

inline std::vector<WindowExample> PyramidKvExamples() {
  return {PyramidKvExample("PyramidKv", 1000, {110, 74, 38, 2}),
          PyramidKvExample("PyramidKvOnAShortPrompt", 100, {56, 56, 56, 56}),
          PyramidKvExample("PyramidKvWithinTheBudget", 64, {56, 56, 56, 56})};
}

inline WindowExample AdaKvExample(std::string name, HeadBudget form,
                                  std::vector<std::vector<int32_t>> held) {
  WindowExample example{std::move(name), WindowSpec("adakv", 7, ScorePool::kNone), 1, 2,
                        {{.9f, .04f, .02f, .01f, .01f, .01f, .005f, .005f},
                         {.2f, .15f, .15f, .12f, .11f, .1f, .09f, .08f}},
                        std::move(held)};
  example.policy.alpha = 0.2;
  example.policy.head_budget = form;
  return example;
}

inline std::vector<WindowExample> AdaKvExamples() {
  return {AdaKvExample("AdaKvOfficial", HeadBudget::kOfficial,
                       {{0, 1, 2, 8, 9}, {0, 1, 2, 3, 4, 5, 6, 8, 9}}),
          AdaKvExample("AdaKvSafeguard", HeadBudget::kSafeguard,
                       {{0, 1, 8, 9}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}})};
}

inline std::vector<std::vector<float>> DynamicKvScores() {
  return {{120, 3, 5, 60, 118, 2, 1, 4},
          {7, 116, 8, 9, 114, 6, 58, 10},
          {130, 128, 11, 126, 124, 12, 62, 13},
          {122, 14, 121, 119, 117, 64, 15, 16},
          {150, 149, 148, 147, 146, 145, 17, 18},
          {144, 143, 19, 142, 141, 140, 139, 20},
          {160, 21, 159, 22, 158, 23, 157, 24},
          {25, 156, 26, 155, 27, 154, 28, 153}};
}

inline WindowExample DynamicKvExample(std::string name, LayerArithmetic arithmetic) {
  WindowExample example{std::move(name), WindowSpec("dynamickv", 6, ScorePool::kNone), 4, 2,
                        DynamicKvScores(),
                        {{0, 4, 8, 9},
                         {1, 4, 8, 9},
                         {0, 1, 3, 4, 8, 9},
                         {0, 2, 3, 4, 8, 9},
                         {0, 1, 2, 3, 4, 5, 8, 9},
                         {0, 1, 3, 4, 5, 6, 8, 9},
                         {0, 2, 4, 6, 8, 9},
                         {1, 3, 5, 7, 8, 9}}};
  example.policy.r_max = 2;
  example.policy.update_every_layers = 2;
  example.policy.arithmetic = arithmetic;
  return example;
}

// A prompt of as many tokens as the budget.
inline WindowExample ShortDynamicKvExample() {
  WindowExample example = DynamicKvExample("DynamicKvShortPrompt", LayerArithmetic::kReference);
  for (std::vector<float>& row : example.scores) row.resize(4);
  example.held.assign(8, {0, 1, 2, 3, 4, 5});
  return example;
}

inline std::vector<WindowExample> DynamicKvExamples() {
  return {DynamicKvExample("DynamicKvReference", LayerArithmetic::kReference),
          DynamicKvExample("DynamicKvExact", LayerArithmetic::kExact), ShortDynamicKvExample()};
}

}  // namespace sluice::golden
