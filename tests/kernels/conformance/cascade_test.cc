// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/mass.h"
#include "kernels/core/ring.h"
#include "kernels/core/rope.h"
#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::CascadeShape;
using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::PoolTolerance;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunCascadeInsert;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

class CascadeConformanceTest : public ConformanceTest {
 protected:
  PageFormat AnyCascadeFormat() {
    PageFormat format = AnyFormat();
    format.key_space = KeySpace::kCachePosition;
    return format;
  }

  // Rings of up to `ring_slots` slots.
  CascadeGeometry AnyGeometry(int32_t ring_slots) {
    const auto rings = static_cast<int32_t>(random().Between(1, 6));
    std::vector<int64_t> periods;
    for (int32_t i = 0; i < rings; ++i) periods.push_back(int64_t{1} << i);
    return MakeCascadeGeometry(static_cast<int32_t>(random().Below(40)), rings,
                               static_cast<int32_t>(random().Between(1, ring_slots)), 64,
                               random().Chance(0.7), periods.data());
  }

  // Sequences anywhere in their lives, in two rows each.
  TestBatch AnyCascadeBatch(const PageFormat& format, int32_t sequences, int32_t ring_slots,
                            int32_t step_tokens, FillOptions fill = {}, int32_t sums = 1) {
    TestBatch batch(format, 2, NextSeed(), fill);
    for (int32_t s = 0; s < sequences; ++s) {
      CascadeShape shape;
      shape.geometry = AnyGeometry(ring_slots);
      shape.inserted_tokens = random().Below(4 * int64_t{shape.geometry.body_slots()} + 2);
      if (random().Chance(0.1)) shape.inserted_tokens = 0;
      shape.tail_start = static_cast<int32_t>(random().Below(format.page_size));
      if (random().Chance(0.5)) shape.pending_tokens = static_cast<int32_t>(random().Below(70));
      shape.step_tokens = static_cast<int32_t>(random().Between(1, step_tokens));
      shape.score_sums = sums;
      batch.AddCascade(shape);
    }
    return batch;
  }

  // A layer of `group` query heads a kv head, with any rope.
  LayerShape AnyLayer(const PageFormat& format, int32_t group) {
    LayerShape layer = kernels_testing::MakeLayer(format, 0, 2, group);
    inv_freq_.clear();
    for (int32_t pair = 0; pair < format.rotary_dim / 2; ++pair) {
      inv_freq_.push_back(std::pow(1e4f, -2.0f * static_cast<float>(pair) /
                                             static_cast<float>(format.rotary_dim)));
    }
    if (!inv_freq_.empty()) layer.rope.inv_freq = inv_freq_.data();
    layer.rope.attention_factor = random().Of({1.0f, 1.0f, 1.2f});
    layer.rope.arrives_rotated = random().Chance(0.5);
    return layer;
  }

  Tensor AnyQueries(const TestBatch& batch, const LayerShape& layer, Dtype dtype) {
    return RandomTensor(dtype, batch.View().total_tokens * layer.q_heads * layer.k_dim,
                        Random({NextSeed()}), 2.0f);
  }

  void ExpectSameAttend(TestBatch& batch, const LayerShape& layer, const Tensor& q,
                        const MassRule* rule = nullptr) {
    batch.StoreStepTokens();
    const int64_t tokens = batch.View().total_tokens;
    TestBatch expected = batch;
    TestBatch actual = batch;
    const auto answer = RunAttend(*MakeReference(expected), expected, layer, q, 0, tokens, rule);
    const auto other = RunAttend(*Make(actual), actual, layer, q, 0, tokens, rule);
    ExpectSameAnswers(batch, layer, answer, other, 0, tokens, GetParam());
    PoolTolerance tolerance;
    tolerance.score = GetParam().attend_error();
    ExpectSamePools(expected.world(), actual.world(), tolerance);
  }

  std::vector<float> inv_freq_;
};

TEST_P(CascadeConformanceTest, AppendStoresKeysUnrotated) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    const TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 3, 40, i % 2 == 0 ? 1 : 70);
    const LayerShape layer = AnyLayer(batch.page_format(), 1);
    const StepView view = batch.View();
    const Dtype dtype = random().Of({Dtype::kF32, Dtype::kBf16, Dtype::kF16});
    Tensor k = RandomTensor(dtype, view.total_tokens * 2 * layer.k_dim, Random({NextSeed()}));
    const Tensor v =
        RandomTensor(dtype, view.total_tokens * 2 * layer.v_dim, Random({NextSeed()}));
    k.Set(random().Below(k.size()), std::numeric_limits<float>::infinity());
    int64_t non_finite[2] = {};
    TestBatch expected = batch;
    TestBatch actual = batch;
    AppendArgs args;
    args.view = &view;
    args.layer = &layer;
    args.k = k.data();
    args.v = v.data();
    args.k_dtype = args.v_dtype = dtype;
    args.token_count = view.total_tokens;
    args.non_finite_count = &non_finite[0];
    RunOperation(*MakeReference(expected), args);
    args.non_finite_count = &non_finite[1];
    RunOperation(*Make(actual), args);
    EXPECT_EQ(non_finite[0], 1);
    EXPECT_EQ(non_finite[1], 1);
    ExpectSamePools(expected.world(), actual.world());
  }
}

TEST_P(CascadeConformanceTest, DecodeAtCachePositions) {
  for (int i = 0; i < 24; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 4, 90, 1);
    const LayerShape layer =
        AnyLayer(batch.page_format(), static_cast<int32_t>(random().Between(1, 9)));
    ExpectSameAttend(batch, layer,
                     AnyQueries(batch, layer, random().Of({Dtype::kF32, Dtype::kBf16})));
  }
}

TEST_P(CascadeConformanceTest, ChunksAtCachePositions) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase(10)) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 2, 60, 130);
    const LayerShape layer = AnyLayer(batch.page_format(), random().Of({1, 3, 4}));
    ExpectSameAttend(batch, layer, AnyQueries(batch, layer, Dtype::kF32));
  }
}

TEST_P(CascadeConformanceTest, LongRingsOfSeveralCanonicalChunks) {
  for (int i = 0; i < 4; ++i) {
    if (!TakesCase(3)) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 1, 900, i % 2 == 0 ? 1 : 20);
    const LayerShape layer = AnyLayer(batch.page_format(), 2);
    ExpectSameAttend(batch, layer, AnyQueries(batch, layer, Dtype::kF32));
  }
}

TEST_P(CascadeConformanceTest, WithCapsSinksAndSlotsThatWereNotFinite) {
  const std::vector<float> sinks = {1.0f, -1.0f, 2.0f, 0.0f};
  for (int i = 0; i < 8; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 3, 50, i % 2 == 0 ? 1 : 40,
                                      FillOptions{0.1, 0.1, false});
    LayerShape layer = AnyLayer(batch.page_format(), 2);
    if (i % 4 >= 2) layer.soft_cap = 10.0f;
    if (i % 3 != 0) layer.sink_logits = sinks.data();
    Tensor q = AnyQueries(batch, layer, Dtype::kF32);
    q.Set(random().Below(q.size()), std::numeric_limits<float>::infinity());
    ExpectSameAttend(batch, layer, q);
  }
}

// Sequences with and without a cascade may share a call.
TEST_P(CascadeConformanceTest, BesidePlainSequences) {
  TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 1, 50, 5);
  PageFormat plain = batch.page_format();
  plain.key_space = KeySpace::kRotated;
  batch.AddFormat(plain);
  batch.AddSequence(SequenceShape{40, -1, -1, 30, 3});
  batch.AddSequence(SequenceShape{0, -1, -1, 9, 1});
  const LayerShape layer = AnyLayer(batch.page_format(), 2);
  ExpectSameAttend(batch, layer, AnyQueries(batch, layer, Dtype::kF32));
}

TEST_P(CascadeConformanceTest, MassGoesToThePendingSumsByEveryRule) {
  constexpr int32_t kGroup = 3;
  for (const GroupReduce reduce :
       {GroupReduce::kMean, GroupReduce::kMax, GroupReduce::kSum, GroupReduce::kMedian}) {
    for (const int32_t step_tokens : {1, 5, 60}) {
      for (const float decay : {1.0f, 0.99f, 0.0f}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << static_cast<int>(reduce) << " " << step_tokens);
        TestBatch batch =
            AnyCascadeBatch(AnyCascadeFormat(), 2, 50, step_tokens, FillOptions{0.05, 0.0, true},
                            PendingSums(reduce, kGroup));
        batch.FillScores();
        const LayerShape layer = AnyLayer(batch.page_format(), kGroup);
        const MassRule rule{decay, random().Chance(0.5), reduce};
        ExpectSameAttend(batch, layer, AnyQueries(batch, layer, Dtype::kF32), &rule);
      }
    }
  }
}

TEST_P(CascadeConformanceTest, TheLargestGroupsMass) {
  const int32_t group = 16;
  TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 1, 400, 12, FillOptions{0.0, 0.0, true},
                                    PendingSums(GroupReduce::kMedian, group));
  batch.FillScores();
  const LayerShape layer = AnyLayer(batch.page_format(), group);
  const MassRule rule{0.9f, false, GroupReduce::kMedian};
  ExpectSameAttend(batch, layer, AnyQueries(batch, layer, Dtype::kF32), &rule);
}

TEST_P(CascadeConformanceTest, InsertMovesThePendingChunkIntoTheBody) {
  constexpr int32_t kGroup = 4;
  for (const GroupReduce reduce :
       {GroupReduce::kMean, GroupReduce::kMax, GroupReduce::kSum, GroupReduce::kMedian}) {
    for (int i = 0; i < 8; ++i) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(reduce) << " " << i);
      TestBatch batch =
          AnyCascadeBatch(AnyCascadeFormat(), 3, 60, i % 2 == 0 ? 1 : 150,
                          FillOptions{0.05, 0.05, i != 0}, PendingSums(reduce, kGroup));
      batch.StoreStepTokens();
      // The chunk's pending sums, the step's included.
      for (size_t e = 0; e < batch.entries().size(); ++e) {
        const ViewEntry& entry = batch.entries()[e];
        batch.SetStep(e, entry.base_length + entry.token_count, 0);
      }
      batch.FillScores();
      const LayerShape layer = AnyLayer(batch.page_format(), kGroup);
      const MassRule rule{random().Of({1.0f, 0.99f, 0.0f}), false, reduce};
      TestBatch expected = batch;
      TestBatch actual = batch;
      RunCascadeInsert(*MakeReference(expected), expected, layer, rule);
      RunCascadeInsert(*Make(actual), actual, layer, rule);
      ExpectSamePools(expected.world(), actual.world());
    }
  }
}

// The reference's insert moves something, so that the test above compares something.
TEST_P(CascadeConformanceTest, InsertChangesTheBody) {
  TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 1, 60, 50, FillOptions{0.0, 0.0, true});
  batch.StoreStepTokens();
  const ViewEntry entry = batch.entries()[0];
  const int64_t end = entry.base_length + entry.token_count;
  batch.SetStep(0, end, 0);
  batch.FillScores();
  RunCascadeInsert(*Make(batch), batch, AnyLayer(batch.page_format(), 1), MassRule());
  batch.AdvanceCascade(0, end, end, 0);
  const Row row = MakeRow(batch.pool(), batch.entries()[0], 1, end);
  const Span& newest = row.spans[row.span_count - 1];
  ASSERT_EQ(newest.block_list,
            batch.world().Table<uint32_t>(batch.entries()[0].body_list_offset));
  const int64_t index = newest.first_slot + newest.slots - 1;
  const int32_t page_size = newest.format->page.page_size;
  EXPECT_EQ(PagePositions(batch.pool(), newest.format->slab,
                          newest.Page(index / page_size))[index % page_size],
            end - 1);
}

TEST_P(CascadeConformanceTest, AnyNumberOfThreadsGivesTheSame) {
  TestBatch batch = AnyCascadeBatch(AnyCascadeFormat(), 3, 300, 70, FillOptions{0.0, 0.0, true});
  batch.StoreStepTokens();
  batch.FillScores();
  const LayerShape layer = AnyLayer(batch.page_format(), 2);
  const Tensor q = AnyQueries(batch, layer, Dtype::kF32);
  const MassRule rule{0.99f, false, GroupReduce::kMean};
  const int64_t tokens = batch.View().total_tokens;
  TestBatch first = batch;
  const auto answer = RunAttend(*Make(first, 1), first, layer, q, 0, tokens, &rule);
  for (const int32_t threads : {2, 4}) {
    TestBatch other = batch;
    ExpectSameBits(answer, RunAttend(*Make(other, threads), other, layer, q, 0, tokens, &rule));
    ExpectSamePools(first.world(), other.world(), kernels_testing::kBitForBit);
  }
}

SLUICE_ATTEND_CONFORMANCE_SUITE(CascadeConformanceTest);

}  // namespace
}  // namespace sluice
