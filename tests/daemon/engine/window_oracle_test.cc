// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The methods that score by the last queries: random prompts, chunks and parameters
// through the engine keep what the plain implementations keep.

#include <string>

#include "gtest/gtest.h"
#include "tests/daemon/engine/oracle_world.h"
#include "tests/oracle/adakv.h"
#include "tests/oracle/dynamickv.h"
#include "tests/oracle/pyramidkv.h"
#include "tests/oracle/snapkv.h"
#include "tests/oracle/window_scores.h"

namespace sluice {
namespace {

// A draw that both sides are made of.
struct WindowDraw {
  std::string form;
  ScoreStream stream;
  int tokens = 0;
  int chunk = 0;
  int budget = 0;  // with the window
  oracle::WindowRule rule;
  double alpha = 0;
  int beta = 0;  // 0: low_end
  int low_end = 0;
  double r_max = 0;
  int update_every = 0;

  int layers() const { return oracle::Size(stream.layers); }
};

WindowDraw Draw(const std::string& form, uint64_t seed) {
  std::mt19937_64 random(seed);
  WindowDraw draw{.form = form, .stream = {}, .rule = {}};
  draw.rule.window = Between(random, 1, 8);
  draw.rule.pool = static_cast<oracle::PoolKind>(Between(random, 0, 2));
  draw.rule.pool_width = 2 * Between(random, 0, 3) + 1;
  draw.rule.reduce = static_cast<oracle::GroupReduce>(Between(random, 0, 2));
  draw.budget = draw.rule.window + Between(random, 1, 20);
  draw.tokens = draw.rule.window + Between(random, 1, 48);
  draw.chunk = Between(random, 1, 3) == 1 ? Between(random, 4, 9) : draw.tokens;
  draw.alpha = Between(random, 0, 10) / 10.0;
  draw.beta = Between(random, 0, 2) == 0 ? 0 : Between(random, 1, 24);
  draw.low_end = Between(random, 0, draw.budget - draw.rule.window);
  draw.r_max = Between(random, 2, 20) / 2.0;
  draw.update_every = Between(random, 1, 4);
  const int least = form == "pyramidkv" ? 2 : 1;
  draw.stream = DrawStream(random, Between(random, least, 4), draw.tokens, 3);
  return draw;
}

PolicySpec SpecOf(const WindowDraw& draw) {
  PolicySpec spec;
  spec.preset = draw.form.substr(0, draw.form.find('_'));
  spec.budget_tokens = draw.budget;
  spec.window_tokens = draw.rule.window;
  spec.group_reduce = draw.rule.reduce == oracle::GroupReduce::kMean  ? HeadReduce::kMean
                      : draw.rule.reduce == oracle::GroupReduce::kMax ? HeadReduce::kMax
                                                                      : HeadReduce::kSum;
  spec.pool = draw.rule.pool == oracle::PoolKind::kNone      ? ScorePool::kNone
              : draw.rule.pool == oracle::PoolKind::kAverage ? ScorePool::kAverage
                                                             : ScorePool::kMax;
  if (spec.pool != ScorePool::kNone) spec.pool_width = draw.rule.pool_width;
  if (spec.preset == "pyramidkv" && draw.beta > 0) spec.beta = draw.beta;
  if (spec.preset == "pyramidkv" && draw.beta == 0) spec.low_end_tokens = draw.low_end;
  if (spec.preset == "adakv") spec.alpha = draw.alpha;
  if (draw.form == "adakv_safeguard") spec.head_budget = HeadBudget::kSafeguard;
  if (spec.preset == "dynamickv") {
    spec.r_max = draw.r_max;
    spec.update_every_layers = draw.update_every;
    spec.arithmetic = draw.form == "dynamickv_reference" ? LayerArithmetic::kReference
                                                         : LayerArithmetic::kExact;
  }
  return spec;
}

oracle::Outcome Safeguard(const oracle::LayerScores& scores, const WindowDraw& draw) {
  oracle::Outcome all;
  for (const oracle::Rows& layer : scores) {
    const oracle::Outcome one =
        oracle::AdaKvSafeguard(layer, draw.budget, draw.rule.window, draw.alpha);
    all.kept.push_back(one.kept[0]);
    all.decisions.insert(all.decisions.end(), one.decisions.begin(), one.decisions.end());
  }
  return all;
}

oracle::Outcome DynamicKv(const oracle::LayerScores& scores, const WindowDraw& draw) {
  const auto arithmetic = draw.form == "dynamickv_reference"
                              ? oracle::DynamicKvArithmetic::kReference
                              : oracle::DynamicKvArithmetic::kExact;
  return oracle::DynamicKv(scores, {.window = draw.rule.window,
                                    .capacity = draw.budget,
                                    .r_max = draw.r_max,
                                    .update_every = draw.update_every,
                                    .arithmetic = arithmetic})
      .outcome;
}

oracle::Outcome Plain(const WindowDraw& draw) {
  oracle::LayerScores scores;
  for (const oracle::LayerTensors& layer : draw.stream.layers) {
    scores.push_back(oracle::PromptWindowScores(layer, draw.tokens, draw.rule));
  }
  const int window = draw.rule.window;
  if (draw.form == "snapkv") {
    return oracle::SnapKv(scores, {.capacity = draw.budget, .window = window});
  }
  if (draw.form == "pyramidkv") {
    return oracle::PyramidKv(scores, {.layers = draw.layers(),
                                      .capacity = draw.budget,
                                      .window = window,
                                      .beta = draw.beta > 0 ? draw.beta : 20,
                                      .low_tokens = draw.beta > 0 ? -1 : draw.low_end});
  }
  if (draw.form == "adakv") {
    return oracle::AdaKv(scores, draw.budget, window, {.alpha = draw.alpha});
  }
  if (draw.form == "adakv_safeguard") return Safeguard(scores, draw);
  return DynamicKv(scores, draw);
}

class WindowOracleTest : public ::testing::TestWithParam<const char*> {};

TEST_P(WindowOracleTest, RandomPromptsKeepWhatThePlainImplementationKeeps) {
  OracleWorld world;
  uint64_t compared = 0;
  for (uint64_t seed = 0; seed < kOracleSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const WindowDraw draw = Draw(GetParam(), seed);
    const oracle::Outcome plain = Plain(draw);
    if (oracle::SmallestMargin(plain.decisions) < 1e-4) continue;
    TestSequence sequence = world.Create(draw.stream, SpecOf(draw));
    world.Prefill(sequence, draw.stream, draw.tokens, draw.chunk);
    if (HasFatalFailure()) return;
    ASSERT_EQ(world.Held(sequence, draw.stream), plain.kept);
    world.Free(sequence);
    ++compared;
  }
  EXPECT_GT(compared, kOracleSeeds * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Methods, WindowOracleTest,
                         ::testing::Values("snapkv", "pyramidkv", "adakv", "adakv_safeguard",
                                           "dynamickv", "dynamickv_reference"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sluice
