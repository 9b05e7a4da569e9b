// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

class AttendConformanceTest : public ConformanceTest {
 protected:
  Tensor AnyQueries(const TestBatch& batch, const LayerShape& layer, Dtype dtype) {
    return RandomTensor(dtype, batch.View().total_tokens * layer.q_heads * layer.k_dim,
                        Random({NextSeed()}), 2.0f);
  }

  void ExpectSameAttend(TestBatch& batch, const LayerShape& layer, const Tensor& q, int64_t first,
                        int64_t count) {
    batch.StoreStepTokens();
    const AttendResult expected = RunAttend(*MakeReference(batch), batch, layer, q, first, count);
    const AttendResult actual = RunAttend(*Make(batch), batch, layer, q, first, count);
    ExpectSameAnswers(batch, layer, expected, actual, first, count, GetParam());
  }

  void ExpectSameAttend(TestBatch& batch, const LayerShape& layer, Dtype dtype = Dtype::kF32) {
    const Tensor q = AnyQueries(batch, layer, dtype);
    ExpectSameAttend(batch, layer, q, 0, batch.View().total_tokens);
  }

  PageFormat FormatOfDim(int32_t dim) {
    PageFormat format = AnyFormat();
    format.k_dim = dim;
    format.v_dim = dim;
    format.rotary_dim = format.pairing == RopePairing::kNone ? 0 : dim;
    return format;
  }
};

TEST_P(AttendConformanceTest, DecodeInEveryHeadDimPageSizeAndDtype) {
  for (const int32_t dim : {64, 80, 96, 128, 256}) {
    for (const int32_t page_size : {16, 32, 64}) {
      for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << dim << " page " << page_size << DtypeName(dtype));
        PageFormat format = FormatOfDim(dim);
        format.page_size = page_size;
        format.dtype = dtype;
        TestBatch batch = AnyBatch(format, 3, 4, 150, 1);
        ExpectSameAttend(batch, MakeLayer(format, 1, 2, 4));
      }
    }
  }
}

TEST_P(AttendConformanceTest, ChunksInEveryHeadDimAndDtype) {
  for (const int32_t dim : {64, 80, 96, 128, 256}) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      if (!TakesCase()) continue;
      SCOPED_TRACE(testing::Message() << dim << DtypeName(dtype));
      PageFormat format = FormatOfDim(dim);
      format.dtype = dtype;
      TestBatch batch = AnyBatch(format, 2, 3, 60, 40);
      ExpectSameAttend(batch, MakeLayer(format, 1, 1, 2));
    }
  }
}

TEST_P(AttendConformanceTest, EveryGroupSize) {
  for (int32_t group = 1; group <= 16; ++group) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(group);
    TestBatch decode = AnyBatch(FormatOfDim(64), 2, 3, 150, 1);
    ExpectSameAttend(decode, MakeLayer(decode.page_format(), 0, 2, group));
    TestBatch chunk = AnyBatch(FormatOfDim(64), 1, 2, 50, 30);
    ExpectSameAttend(chunk, MakeLayer(chunk.page_format(), 0, 1, group));
  }
}

TEST_P(AttendConformanceTest, KeysAndValuesOfDifferentDims) {
  for (int i = 0; i < 12; ++i) {
    if (!TakesCase()) continue;
    TestBatch batch = AnyBatch(AnyFormat(), 3, 5, 100, i % 2 == 0 ? 1 : 20);
    ExpectSameAttend(batch, MakeLayer(batch.page_format(), 1, 2, 3));
  }
}

TEST_P(AttendConformanceTest, EveryQueryDtype) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int32_t step_tokens : {1, 25}) {
      if (!TakesCase(3)) continue;
      TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 100, step_tokens);
      ExpectSameAttend(batch, MakeLayer(batch.page_format(), 0, 2, 4), dtype);
    }
  }
}

TEST_P(AttendConformanceTest, WindowsSoftCapsAndSinkLogits) {
  for (int i = 0; i < 24; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 200, i % 2 == 0 ? 1 : 30);
    LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    const Tensor sinks = RandomTensor(Dtype::kF32, layer.q_heads, Random({NextSeed()}), 3.0f);
    if (i % 3 != 0) layer.window = static_cast<int32_t>(random().Between(1, 120));
    if (i % 4 >= 2) layer.soft_cap = 5.0f;
    if (i % 5 != 0) layer.sink_logits = static_cast<const float*>(sinks.data());
    ExpectSameAttend(batch, layer);
  }
}

TEST_P(AttendConformanceTest, SlotsWithMassAndSlotsThatWereNotFinite) {
  for (int i = 0; i < 12; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    const FillOptions fill{0.2, i % 3 == 0 ? 0.0 : 0.1, false};
    TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 150, i % 2 == 0 ? 1 : 30, fill);
    ExpectSameAttend(batch, MakeLayer(batch.page_format(), 0, 2, 3));
  }
}

TEST_P(AttendConformanceTest, RangesOfAStep) {
  for (int i = 0; i < 8; ++i) {
    if (!TakesCase()) continue;
    TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 80, 60);
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    const Tensor q = AnyQueries(batch, layer, Dtype::kF32);
    const int64_t first = random().Below(batch.View().total_tokens);
    const int64_t count = random().Between(1, batch.View().total_tokens - first);
    ExpectSameAttend(batch, layer, q, first, count);
  }
}

// Logits so far apart that a key which a token must not see would take over its answer.
TEST_P(AttendConformanceTest, ChunksOfMoreThan64Tokens) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    SCOPED_TRACE(DtypeName(dtype));
    PageFormat format = FormatOfDim(64);
    format.dtype = dtype;
    TestBatch batch(format, 1, NextSeed());
    batch.AddSequence(SequenceShape{0, 0, 0, 0, 120});
    batch.AddSequence(SequenceShape{300, -1, -1, 70, 80});
    LayerShape layer = MakeLayer(format, 0, 1, 2);
    layer.scale = 1.0f;
    ExpectSameAttend(batch, layer);
  }
}

// Beyond 16 384 slots the canonical chunks grow.
TEST_P(AttendConformanceTest, LongRows) {
  for (const auto& [body, tail] : {std::pair<int64_t, int64_t>{0, 17000}, {9000, 8500}}) {
    if (!TakesCase(2)) continue;
    PageFormat format = FormatOfDim(64);
    TestBatch batch(format, 1, NextSeed());
    batch.AddSequence(SequenceShape{body, -1, -1, tail, 1});
    batch.AddSequence(SequenceShape{0, -1, -1, 5000, 1});
    ExpectSameAttend(batch, MakeLayer(format, 0, 1, 2));
  }
}

// Logits up to 10^3 apart: only a running maximum keeps the sums in range.
TEST_P(AttendConformanceTest, LogitsFarApart) {
  for (const int32_t step_tokens : {1, 20}) {
    TestBatch batch = AnyBatch(FormatOfDim(64), 2, 3, 300, step_tokens);
    LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    layer.scale = 16.0f;
    batch.StoreStepTokens();
    Tensor q = RandomTensor(Dtype::kF32, batch.View().total_tokens * layer.q_heads * layer.k_dim,
                            Random({NextSeed()}));
    const AttendResult result =
        RunAttend(*Make(batch), batch, layer, q, 0, batch.View().total_tokens);
    for (int64_t i = 0; i < result.out.size(); ++i) {
      ASSERT_LE(std::abs(result.out.Get(i)), 3.6f);
    }
  }
}

TEST_P(AttendConformanceTest, NonFiniteQueriesAreAnsweredWithNothing) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int32_t step_tokens : {1, 30}) {
      if (!TakesCase(3)) continue;
      SCOPED_TRACE(testing::Message() << DtypeName(dtype) << " tokens " << step_tokens);
      TestBatch batch = AnyBatch(AnyFormat(), 2, 5, 100, step_tokens);
      const LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 4);
      Tensor q = AnyQueries(batch, layer, dtype);
      for (int i = 0; i < 6; ++i) {
        q.Set(random().Below(q.size()), i % 2 == 0 ? std::numeric_limits<float>::infinity()
                                                   : std::numeric_limits<float>::quiet_NaN());
      }
      ExpectSameAttend(batch, layer, q, 0, batch.View().total_tokens);
    }
  }
}

TEST_P(AttendConformanceTest, RowsWithNothingToSeeAreAnsweredWithNothing) {
  const FillOptions nothing_finite{1.0, 0.0, false};
  for (const int32_t step_tokens : {1, 30}) {
    TestBatch batch = AnyBatch(AnyFormat(), 2, 4, 50, step_tokens, nothing_finite);
    LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    const std::vector<float> sinks(4, 1.0f);
    layer.sink_logits = sinks.data();
    batch.StoreStepTokens();
    const Tensor q = AnyQueries(batch, layer, Dtype::kF32);
    const int64_t tokens = batch.View().total_tokens;
    const AttendResult result = RunAttend(*Make(batch), batch, layer, q, 0, tokens);
    for (int64_t i = 0; i < result.out.size(); ++i) ASSERT_EQ(result.out.Get(i), 0.0f);
    for (const float lse : result.lse) {
      ASSERT_EQ(lse, -std::numeric_limits<float>::infinity());
    }
  }
}

SLUICE_ATTEND_CONFORMANCE_SUITE(AttendConformanceTest);

}  // namespace
}  // namespace sluice
