// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

class MassConformanceTest : public ConformanceTest {
 protected:
  MassRule AnyRule() {
    return MassRule{random().Of({1.0f, 0.9f, 0.0f}), random().Chance(0.5),
                    random().Of({GroupReduce::kMean, GroupReduce::kSum})};
  }

  void ExpectSameMass(TestBatch& batch, LayerShape layer, const MassRule& rule) {
    batch.StoreStepTokens();
    batch.FillScores();
    const int64_t tokens = batch.View().total_tokens;
    const Tensor q =
        RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({NextSeed()}), 2.0f);
    TestBatch expected = batch;
    TestBatch actual = batch;
    const auto answer = RunAttend(*MakeReference(expected), expected, layer, q, 0, tokens, &rule);
    const auto other = RunAttend(*Make(actual), actual, layer, q, 0, tokens, &rule);
    ExpectSameAnswers(batch, layer, answer, other, 0, tokens, GetParam().name);
    ExpectSamePools(expected.world(), actual.world());
  }
};

TEST_P(MassConformanceTest, DecodeByEveryRule) {
  for (const float decay : {1.0f, 0.99f, 0.5f, 0.0f}) {
    for (const bool squared : {false, true}) {
      for (const GroupReduce reduce : {GroupReduce::kMean, GroupReduce::kSum}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << decay << squared << static_cast<int>(reduce));
        TestBatch batch = AnyBatch(AnyFormat(), 3, 4, 120, 1, FillOptions{0.0, 0.0, true});
        ExpectSameMass(batch, MakeLayer(batch.page_format(), 1, 2, 4),
                       MassRule{decay, squared, reduce});
      }
    }
  }
}

TEST_P(MassConformanceTest, ChunksByEveryRule) {
  for (const float decay : {1.0f, 0.99f, 0.5f, 0.0f}) {
    for (const bool squared : {false, true}) {
      for (const GroupReduce reduce : {GroupReduce::kMean, GroupReduce::kSum}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << decay << squared << static_cast<int>(reduce));
        TestBatch batch = AnyBatch(AnyFormat(), 2, 3, 60, 80, FillOptions{0.0, 0.0, true});
        ExpectSameMass(batch, MakeLayer(batch.page_format(), 1, 1, 2),
                       MassRule{decay, squared, reduce});
      }
    }
  }
}

TEST_P(MassConformanceTest, WithWindowsCapsSinksAndSlotsThatWereNotFinite) {
  const std::vector<float> sinks = {1.0f, -1.0f, 2.0f, 0.0f};
  for (int i = 0; i < 16; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch =
        AnyBatch(AnyFormat(), 2, 4, 150, i % 2 == 0 ? 1 : 40, FillOptions{0.1, 0.1, true});
    LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    if (i % 3 != 0) layer.window = static_cast<int32_t>(random().Between(1, 100));
    if (i % 4 >= 2) layer.soft_cap = 10.0f;
    if (i % 5 != 0) layer.sink_logits = sinks.data();
    ExpectSameMass(batch, layer, AnyRule());
  }
}

TEST_P(MassConformanceTest, RowsOfSeveralCanonicalChunks) {
  for (int i = 0; i < 4; ++i) {
    if (!TakesCase(3)) continue;
    TestBatch batch =
        AnyBatch(AnyFormat(), 1, 2, 1500, i % 2 == 0 ? 1 : 20, FillOptions{0.0, 0.0, true});
    ExpectSameMass(batch, MakeLayer(batch.page_format(), 0, 1, 2), AnyRule());
  }
}

// A policy that keeps no scores may share a step with one that does.
TEST_P(MassConformanceTest, EntriesWithoutScoreMemoryArePassedOver) {
  TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 60, 1);
  ExpectSameMass(batch, MakeLayer(batch.page_format(), 0, 2, 2), AnyRule());
}

SLUICE_CONFORMANCE_SUITE(MassConformanceTest);

}  // namespace
}  // namespace sluice
