// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/cascade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/oracle/random_tensors.h"

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::Pointwise;

CascadeLayerRule Rule(int total, int rings, int sinks) {
  CascadeLayerRule rule;
  rule.cache = {.total = total, .rings = rings, .sinks = sinks};
  rule.rope = MakeRope(10000, 16, RopePairing::kHalfSplit);
  return rule;
}

// What full causal attention gives with keys rotated by their true positions.
Row FullRow(const LayerTensors& tensors, int q_head, int token, const Rope& rope) {
  Rows keys;
  for (int t = 0; t <= token; ++t) {
    keys.push_back(Rotate(tensors.k[q_head / tensors.group()][t], t, rope));
  }
  const Row query = Rotate(tensors.q[q_head][token], token, rope);
  return AttentionRows(QueryRows{{token}, {query}}, HeadKeys{Range(token + 1), keys, {}})[0];
}

TEST(CascadeTest, WithinItsSizeItIsFullCausalAttentionAtAnyStride) {
  std::mt19937_64 random(18);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 18});
  const CascadeLayerRule rule = Rule(16, 4, 3);
  for (int stride : {1, 2, 5, 18}) {
    CascadeLayer layer(tensors, rule);
    while (layer.seen() < 18) {
      const int first = layer.seen();
      const int tokens = std::min(stride, 18 - first);
      const std::vector<Rows> p = layer.AttendChunk(tokens);
      for (int row = 0; row < tokens; ++row) {
        Row expected = FullRow(tensors, 3, first + row, rule.rope);
        expected.resize(first + tokens, 0.0);
        ASSERT_THAT(p[3][row], Pointwise(DoubleNear(1e-10), expected)) << stride;
      }
    }
    EXPECT_EQ(layer.Held(), HeadSets(2, Range(18)));
  }
}

TEST(CascadeTest, KeysStandAtTheirCachePositions) {
  std::mt19937_64 random(19);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 60, .q_heads = 1, .kv_heads = 1});
  const CascadeLayerRule rule = Rule(8, 2, 2);
  CascadeLayer layer(tensors, rule);
  for (int t = 0; t < 59; ++t) layer.AttendChunk(1);
  Indices order = layer.head(0).InCacheOrder();
  order.push_back(59);
  LayerTensors gathered{{Gather(tensors.q[0], order)}, {Gather(tensors.k[0], order)}};
  EXPECT_THAT(layer.AttendChunk(1)[0][0],
              Pointwise(DoubleNear(1e-10), FullRow(gathered, 0, 10, rule.rope)));
}

TEST(CascadeTest, OneRingHoldsSinksAndWindowWhateverTheStride) {
  std::mt19937_64 random(20);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 40});
  Indices expected = {0, 1};
  for (int t = 34; t < 40; ++t) expected.push_back(t);
  for (int stride : {1, 3, 40}) {
    const CascadeRun result = RunCascade(tensors, 40, stride, Rule(6, 1, 2));
    EXPECT_EQ(result.run.steps.back().held, HeadSets(2, expected)) << stride;
    EXPECT_TRUE(result.run.decisions.empty());
  }
}

TEST(CascadeTest, ScoresAreTheRingsMassWithoutTheSinks) {
  std::mt19937_64 random(21);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 9, .q_heads = 2, .kv_heads = 1});
  CascadeLayerRule rule = Rule(8, 1, 2);
  rule.beta = 0.5;
  CascadeLayer layer(tensors, rule);
  const std::vector<Rows> first = layer.AttendChunk(4);
  const std::vector<Rows> second = layer.AttendChunk(2);
  // Token 2 is the first behind the sinks; rows 0 .. 3, then rows 4 and 5.
  Row chunk;
  Row later;
  for (int g = 0; g < 2; ++g) {
    chunk.push_back(first[g][2][2] * 0.5 + first[g][3][2]);
    later.push_back(second[g][0][2] * 0.5 + second[g][1][2]);
  }
  const double expected = 0.25 * std::max(chunk[0], chunk[1]) + std::max(later[0], later[1]);
  EXPECT_NEAR(layer.head(0).rings()[0][0].score, expected, 1e-12);
}

TEST(CascadeTest, HomogeneousHeadsHoldTheSame) {
  std::mt19937_64 random(22);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 80});
  CascadeLayerRule rule = Rule(8, 4, 1);
  EXPECT_NE(RunCascade(tensors, 60, 4, rule).run.steps.back().held[0],
            RunCascade(tensors, 60, 4, rule).run.steps.back().held[1]);
  rule.homogeneous = true;
  const CascadeRun result = RunCascade(tensors, 60, 4, rule);
  for (const HeldStep& step : result.run.steps) {
    ASSERT_EQ(step.held[0], step.held[1]);
  }
}

TEST(CascadeTest, TheStrideChangesWhatIsHeld) {
  std::mt19937_64 random(23);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 100});
  const CascadeLayerRule rule = Rule(16, 4, 1);
  EXPECT_NE(RunCascade(tensors, 100, 1, rule).run.steps.back().held,
            RunCascade(tensors, 100, 32, rule).run.steps.back().held);
}

TEST(CascadeTest, AChunkMayBeLongerThanTheCache) {
  std::mt19937_64 random(24);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 50});
  const CascadeRun result = RunCascade(tensors, 50, 50, Rule(8, 2, 2));
  for (const Indices& held : result.run.steps.back().held) EXPECT_EQ(Size(held), 10);
}

TEST(CascadeTest, EveryStepIsRecordedWithOrderScoresAndFights) {
  std::mt19937_64 random(25);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 40});
  const CascadeRun result = RunCascade(tensors, 30, 7, Rule(8, 2, 2));
  ASSERT_EQ(result.run.steps.size(), 11u);
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(result.run.steps[i].tokens, 30 + i);
    EXPECT_EQ(result.cache_order[i][1].size(), 10u);
    EXPECT_EQ(result.scores[i][1].size(), 8u);
  }
  // Tokens 11 .. 39 at odd x > C offer to ring 1, in both heads.
  EXPECT_EQ(result.run.decisions.size(), 2u * 15);
}

TEST(CascadeTest, WithoutEagerFillTheSecondRingFillsSlower) {
  std::mt19937_64 random(26);
  const LayerTensors tensors = RandomTensors(random, {.tokens = 10});
  CascadeLayerRule rule = Rule(8, 2, 0);
  rule.cache.eager = false;
  CascadeLayer layer(tensors, rule);
  layer.AttendChunk(7);
  EXPECT_EQ(layer.head(0).rings()[0].size(), 4u);
  EXPECT_EQ(layer.head(0).rings()[1].size(), 2u);  // x = 4 and 6 were accepted, 5 fought
}

}  // namespace
}  // namespace sluice::oracle
