// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/tensor_attend_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "kernels/device/device_backend.h"
#include "kernels/device/prefill_tiles.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using device::kUnitRows;
using kernels_testing::AttendResult;
using kernels_testing::CascadeShape;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

constexpr double kLogitError = 2e-5;  // 16 bits of a query, and sums in fp32

class TensorAttendTest : public testing::TestWithParam<Dtype> {
 protected:
  TensorAttendTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  static PageFormat Format(int32_t k_dim, int32_t v_dim) {
    return {GetParam(), {}, {}, 32, k_dim, v_dim, 0, PageLayout::kSwizzled};
  }

  static TestBatch BatchOf(const PageFormat& format, int32_t step_tokens = 5) {
    TestBatch batch(format, 2, 3, FillOptions{0.05, 0.05, false});
    batch.AddSequence(SequenceShape{150, -1, -1, 40, 1});
    batch.AddSequence(SequenceShape{0, -1, -1, 300, step_tokens});
    batch.StoreStepTokens();
    return batch;
  }

  // For the tokens [first, first + count).
  static AttendResult Attend(Arithmetic arithmetic, const TestBatch& batch,
                             const LayerShape& layer, const Tensor& q, int64_t first,
                             int64_t count) {
    DeviceBackend::Options options;
    options.pool = batch.pool();
    options.staging_bytes = int64_t{1} << 20;
    options.scratch_bytes = int64_t{8} << 20;
    options.arithmetic = arithmetic;
    DeviceBackend backend(options, "emulated", std::make_unique<sim::SimRuntime>(1));
    return RunAttend(backend, batch, layer, q, first, count);
  }
  static AttendResult Attend(Arithmetic arithmetic, const TestBatch& batch,
                             const LayerShape& layer, const Tensor& q) {
    return Attend(arithmetic, batch, layer, q, 0, batch.View().total_tokens);
  }

  // Expects the log-sum-exp of fp32 arithmetic: weights are rounded, their logits are not.
  static void ExpectLogitsOfFp32(const TestBatch& batch, const LayerShape& layer,
                                 const Tensor& q) {
    const int64_t tokens = batch.View().total_tokens;
    ReferenceBackend reference(batch.pool(), nullptr);
    const AttendResult expected = RunAttend(reference, batch, layer, q, 0, tokens);
    const AttendResult actual = Attend(Arithmetic::kBf16, batch, layer, q);
    for (size_t i = 0; i < expected.lse.size(); ++i) {
      if (actual.lse[i] == expected.lse[i]) continue;  // -inf too
      const double magnitude = std::max(1.0f, std::abs(expected.lse[i]));
      EXPECT_NEAR(actual.lse[i], expected.lse[i], kLogitError * magnitude) << i;
    }
    for (int64_t i = 0; i < expected.out.size(); ++i) {
      ASSERT_NEAR(actual.out.Get(i), expected.out.Get(i), 4e-3 * 4.0) << i;
    }
  }

  static Tensor Queries(Dtype dtype, const TestBatch& batch, const LayerShape& layer,
                        float factor) {
    const int64_t count = batch.View().total_tokens * layer.q_heads * layer.k_dim;
    return RandomTensor(dtype, count, Random({5}), factor);
  }
};

TEST_P(TensorAttendTest, OnlyKeysAndValuesOf16BitsAreOnTensorCores) {
  PageFormat format = Format(64, 64);
  for (const Dtype dtype : {GetParam(), Dtype::kF32}) {
    format.dtype = dtype;
    const TestBatch batch = BatchOf(format);
    const LayerShape layer = MakeLayer(format, 0, 2, 3);
    const Tensor q = Queries(Dtype::kF32, batch, layer, 2.0f);
    const AttendResult exact = Attend(Arithmetic::kFp32, batch, layer, q);
    const AttendResult rounded = Attend(Arithmetic::kBf16, batch, layer, q);
    EXPECT_EQ(exact.out.bytes == rounded.out.bytes, dtype == Dtype::kF32);
  }
}

TEST_P(TensorAttendTest, QueriesOfAnyDtypeKeepTheirBits) {
  for (const int32_t step_tokens : {5, 50}) {
    const TestBatch batch = BatchOf(Format(128, 128), step_tokens);
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 3);
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      SCOPED_TRACE(testing::Message() << DtypeName(dtype) << " tokens " << step_tokens);
      ExpectLogitsOfFp32(batch, layer, Queries(dtype, batch, layer, 2.0f));
    }
  }
}

TEST_P(TensorAttendTest, EveryMultipleOf16IsADim) {
  for (int32_t dim = 16; dim <= 256; dim += 16) {
    SCOPED_TRACE(dim);
    const TestBatch batch = BatchOf(Format(dim, 272 - dim));
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    ExpectLogitsOfFp32(batch, layer, Queries(Dtype::kF32, batch, layer, 2.0f));
  }
}

// From 17 query rows of a kv head on, units are of 64.
TEST_P(TensorAttendTest, UnitsOfAnyNumberOfQueryRows) {
  for (const int32_t step_tokens : {8, 9, 32, 33, 70}) {
    SCOPED_TRACE(step_tokens);
    const TestBatch batch = BatchOf(Format(64, 48), step_tokens);
    for (const int32_t window : {0, 1, 70}) {
      LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
      layer.window = window;
      ExpectLogitsOfFp32(batch, layer, Queries(GetParam(), batch, layer, 2.0f));
    }
  }
}

// A few tokens at a time, in units of 16, and all at once.
TEST_P(TensorAttendTest, UnitsOfEitherSizeGiveTheSameBits) {
  const TestBatch batch = BatchOf(Format(96, 128), 70);
  LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 3);
  const int64_t tokens = batch.View().total_tokens;
  const int64_t token_bytes = int64_t{layer.q_heads} * layer.v_dim * 4;
  for (const float soft_cap : {0.0f, 5.0f}) {
    layer.soft_cap = soft_cap;
    layer.window = soft_cap == 0.0f ? 0 : 150;
    const Tensor q = Queries(Dtype::kF32, batch, layer, 2.0f);
    const AttendResult whole = Attend(Arithmetic::kBf16, batch, layer, q);
    for (int64_t first = 0; first < tokens; first += 5) {
      const int64_t count = std::min<int64_t>(5, tokens - first);
      const AttendResult part = Attend(Arithmetic::kBf16, batch, layer, q, first, count);
      ASSERT_EQ(std::memcmp(part.out.data(), whole.out.bytes.data() + first * token_bytes,
                            static_cast<size_t>(count * token_bytes)),
                0)
          << first;
      for (int64_t i = 0; i < count * layer.q_heads; ++i) {
        ASSERT_EQ(part.lse[i], whole.lse[first * layer.q_heads + i]) << first;
      }
    }
  }
}

TEST_P(TensorAttendTest, ChunksInEveryMultipleOf16AsADim) {
  for (int32_t dim = 16; dim <= 128; dim += 16) {
    SCOPED_TRACE(dim);
    const TestBatch batch = BatchOf(Format(dim, 144 - dim), 20);
    const LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 2);
    ExpectLogitsOfFp32(batch, layer, Queries(Dtype::kF32, batch, layer, 2.0f));
  }
}

TEST_P(TensorAttendTest, QueriesBeyondTheRangeOfFp16) {
  const TestBatch batch = BatchOf(Format(64, 64), 20);
  for (const float factor : {1e-20f, 1e-6f, 1e6f, 1e20f}) {
    SCOPED_TRACE(factor);
    LayerShape layer = MakeLayer(batch.page_format(), 0, 2, 3);
    layer.scale /= factor;
    ExpectLogitsOfFp32(batch, layer, Queries(Dtype::kF32, batch, layer, factor));
  }
}

TEST_P(TensorAttendTest, KeysThatTurnKeepTheirBits) {
  PageFormat format = Format(80, 64);
  format.key_space = KeySpace::kCachePosition;
  format.pairing = RopePairing::kHalfSplit;
  format.rotary_dim = 64;
  TestBatch batch(format, 2, 3);
  const int64_t periods[] = {1, 2, 4};
  CascadeShape shape;
  shape.geometry = MakeCascadeGeometry(4, 3, 50, 64, true, periods);
  shape.inserted_tokens = 1000;
  shape.pending_tokens = 20;
  shape.step_tokens = 5;
  batch.AddCascade(shape);
  batch.StoreStepTokens();
  std::vector<float> inv_freq;
  for (int pair = 0; pair < 32; ++pair) {
    inv_freq.push_back(std::pow(1e4f, -static_cast<float>(pair) / 32.0f));
  }
  LayerShape layer = MakeLayer(format, 0, 2, 3);
  layer.rope.inv_freq = inv_freq.data();
  for (const bool arrives_rotated : {false, true}) {
    SCOPED_TRACE(arrives_rotated);
    layer.rope.arrives_rotated = arrives_rotated;
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16}) {
      ExpectLogitsOfFp32(batch, layer, Queries(dtype, batch, layer, 2.0f));
    }
  }
}

// Without values that wait for the keys' place.
TEST_P(TensorAttendTest, TheLargestUnitsFitTheSharedMemoryOfABlock) {
  const LayerShape layer = MakeLayer(Format(256, 256), 0, 1, kUnitRows);
  for (const bool turns : {false, true}) {
    const device::UnitLayout unit = device::MakeUnitLayout(
        layer, GetParam(), kUnitRows, turns, true, kUnitRows * layer.v_dim, INT32_MAX);
    const int32_t most_bytes = (turns ? 227 : 163) << 10;  // of compute capability 9.0, 8.0
    EXPECT_LE(device::MakeTensorLayout(unit, layer, kUnitRows, turns).bytes, most_bytes);
  }
}

// The largest heads take units of 16; where a block has no more than any GPU gives it, so do
// wide ones with queries of another dtype.
TEST_P(TensorAttendTest, UnitsOf64FitTheSharedMemoryOfABlock) {
  constexpr int32_t kMostBytes = 227 << 10;
  const auto can_prefill = [](int32_t dim, Dtype queries, int32_t shared_bytes = 99 << 10) {
    return device::CanPrefill(MakeLayer(Format(dim, dim), 0, 1, 4), GetParam(), queries,
                              shared_bytes);
  };
  EXPECT_TRUE(can_prefill(128, GetParam()));
  EXPECT_TRUE(can_prefill(96, Dtype::kF32));
  EXPECT_FALSE(can_prefill(128, Dtype::kF32));
  EXPECT_TRUE(can_prefill(128, Dtype::kF32, kMostBytes));
  EXPECT_FALSE(can_prefill(144, GetParam(), kMostBytes));
  EXPECT_FALSE(device::CanPrefill(MakeLayer(Format(64, 64), 0, 1, 4), Dtype::kF32, GetParam(),
                                  kMostBytes));
}

INSTANTIATE_TEST_SUITE_P(Storage, TensorAttendTest,
                         testing::Values(Dtype::kBf16, Dtype::kF16),
                         [](const auto& dtype) { return DtypeName(dtype.param); });

}  // namespace
}  // namespace sluice
