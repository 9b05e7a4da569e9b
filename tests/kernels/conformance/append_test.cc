// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunOperation;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// The keys and values of a step for some rows.
struct Incoming {
  Tensor k;
  Tensor v;
};

class AppendConformanceTest : public ConformanceTest {
 protected:
  // Mostly ordinary numbers; some tensors hold values that are infinite, not a
  // number, or too large for fp16.
  Incoming AnyIncoming(const TestBatch& batch, const LayerShape& layer, Dtype k_dtype,
                       Dtype v_dtype) {
    const int64_t vectors = batch.View().total_tokens * layer.kv_heads;
    Incoming incoming{RandomTensor(k_dtype, vectors * layer.k_dim, Random({NextSeed()})),
                      RandomTensor(v_dtype, vectors * layer.v_dim, Random({NextSeed()}))};
    for (int64_t i = 0; i < vectors / 8; ++i) {
      Tensor& tensor = random().Chance(0.5) ? incoming.k : incoming.v;
      tensor.Set(random().Below(tensor.size()),
                 random().Of({std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::quiet_NaN(), 7e4f, -3e38f}));
    }
    return incoming;
  }

  // Appends the step's tokens [first, first + count); returns the non-finite ones.
  static int64_t Append(Backend& backend, const TestBatch& batch, const LayerShape& layer,
                        const Incoming& incoming, int64_t first, int64_t count) {
    const StepView view = batch.View();
    int64_t non_finite = 0;
    AppendArgs args;
    args.view = &view;
    args.layer = &layer;
    args.k_dtype = incoming.k.dtype;
    args.v_dtype = incoming.v.dtype;
    args.k = incoming.k.bytes.data() +
             first * layer.kv_heads * layer.k_dim * DtypeBytes(incoming.k.dtype);
    args.v = incoming.v.bytes.data() +
             first * layer.kv_heads * layer.v_dim * DtypeBytes(incoming.v.dtype);
    args.first_token = first;
    args.token_count = count;
    args.non_finite_count = &non_finite;
    RunOperation(backend, args);
    return non_finite;
  }

  void ExpectSameAppend(const TestBatch& batch, Dtype k_dtype, Dtype v_dtype) {
    const LayerShape layer = kernels_testing::MakeLayer(batch.page_format(), 1, 2, 1);
    const Incoming incoming = AnyIncoming(batch, layer, k_dtype, v_dtype);
    const int64_t tokens = batch.View().total_tokens;
    TestBatch expected = batch;
    TestBatch actual = batch;
    const int64_t expected_count =
        Append(*MakeReference(expected), expected, layer, incoming, 0, tokens);
    EXPECT_EQ(Append(*Make(actual), actual, layer, incoming, 0, tokens), expected_count);
    ExpectSamePools(expected.world(), actual.world());
  }
};

TEST_P(AppendConformanceTest, EveryDtypeIntoEveryDtype) {
  for (const Dtype stored : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const Dtype k_dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      for (const Dtype v_dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
        if (!TakesCase()) continue;
        SCOPED_TRACE(testing::Message() << DtypeName(k_dtype) << ", " << DtypeName(v_dtype)
                                        << " into " << DtypeName(stored));
        PageFormat format = AnyFormat();
        format.dtype = stored;
        ExpectSameAppend(AnyBatch(format, 3, 3, 80, 70), k_dtype, v_dtype);
      }
    }
  }
}

TEST_P(AppendConformanceTest, DecodeStepsOfManySequences) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    ExpectSameAppend(AnyBatch(AnyFormat(), 4, 20, 70, 1), Dtype::kBf16, Dtype::kBf16);
  }
}

TEST_P(AppendConformanceTest, LongPrompts) {
  for (const int32_t dim : {64, 80, 128, 256}) {
    if (!TakesCase(4)) continue;
    PageFormat format = AnyFormat();
    format.k_dim = dim;
    format.v_dim = dim;
    format.rotary_dim = format.pairing == RopePairing::kNone ? 0 : dim;
    ExpectSameAppend(AnyBatch(format, 3, 2, 20, 300), Dtype::kBf16, Dtype::kBf16);
  }
}

TEST_P(AppendConformanceTest, ChunksStoreWhatTheWholeStores) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    const TestBatch batch = AnyBatch(AnyFormat(), 3, 3, 50, 90);
    const LayerShape layer = kernels_testing::MakeLayer(batch.page_format(), 0, 3, 1);
    const Incoming incoming = AnyIncoming(batch, layer, Dtype::kBf16, Dtype::kF32);
    const int64_t tokens = batch.View().total_tokens;
    TestBatch whole = batch;
    TestBatch chunked = batch;
    const int64_t non_finite = Append(*Make(whole), whole, layer, incoming, 0, tokens);
    int64_t chunk_non_finite = 0;
    for (int64_t first = 0, count = 0; first < tokens; first += count) {
      count = std::min(tokens - first, random().Between(1, 40));
      chunk_non_finite += Append(*Make(chunked), chunked, layer, incoming, first, count);
    }
    EXPECT_EQ(chunk_non_finite, non_finite);
    ExpectSamePools(whole.world(), chunked.world(), kernels_testing::kBitForBit);
  }
}

// A call this large goes past a processor's caches, its parts do not; over a slow backend it
// is still cut where it is staged.
TEST_P(AppendConformanceTest, LargeCallsStoreWhatTheirPartsStore) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16}) {
    if (!TakesCase(2)) continue;
    PageFormat format = AnyFormat();
    format.dtype = dtype;
    format.k_dim = format.v_dim = 256;
    const int64_t bytes = int64_t{9} << (GetParam().slow ? 17 : 20);
    const auto tokens = static_cast<int32_t>(bytes / (1024 * DtypeBytes(dtype)));
    TestBatch whole(format, 2, NextSeed());
    whole.AddSequence(kernels_testing::SequenceShape{0, 0, 3, 20, tokens});
    const LayerShape layer = kernels_testing::MakeLayer(format, 0, 2, 1);
    const Incoming incoming = AnyIncoming(whole, layer, dtype, dtype);
    TestBatch parts = whole;
    const int64_t non_finite = Append(*Make(whole), whole, layer, incoming, 0, tokens);
    int64_t parts_non_finite = 0;
    const int64_t part = GetParam().slow ? 99 : 999;
    for (int64_t first = 0; first < tokens; first += part) {
      parts_non_finite += Append(*Make(parts), parts, layer, incoming, first,
                                 std::min<int64_t>(part, tokens - first));
    }
    EXPECT_EQ(parts_non_finite, non_finite);
    ExpectSamePools(whole.world(), parts.world(), kernels_testing::kBitForBit);
  }
}

TEST_P(AppendConformanceTest, AnyNumberOfThreadsStoresTheSame) {
  const TestBatch batch = AnyBatch(AnyFormat(), 4, 6, 50, 90);
  const LayerShape layer = kernels_testing::MakeLayer(batch.page_format(), 0, 4, 1);
  const Incoming incoming = AnyIncoming(batch, layer, Dtype::kF32, Dtype::kF32);
  TestBatch first = batch;
  Append(*Make(first, 1), first, layer, incoming, 0, batch.View().total_tokens);
  for (const int32_t threads : {2, 4}) {
    TestBatch other = batch;
    Append(*Make(other, threads), other, layer, incoming, 0, batch.View().total_tokens);
    ExpectSamePools(first.world(), other.world(), kernels_testing::kBitForBit);
  }
}

SLUICE_CONFORMANCE_SUITE(AppendConformanceTest);

}  // namespace
}  // namespace sluice
