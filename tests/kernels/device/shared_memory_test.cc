// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Attend on devices that give blocks less shared memory than others.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/core/mass.h"
#include "kernels/device/device_backend.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using kernels_testing::AttendResult;
using kernels_testing::CascadeShape;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// Of sm_86, sm_89 and sm_120; of sm_80; of sm_90 and sm_100.
constexpr int32_t kLeastBytes = 99 << 10;
constexpr int32_t kMiddleBytes = 163 << 10;
constexpr int32_t kMostBytes = 227 << 10;

constexpr int32_t kGroup = 4;

PageFormat FormatOf(Dtype dtype, int32_t k_dim, int32_t v_dim, bool cascade) {
  const KeySpace space = cascade ? KeySpace::kCachePosition : KeySpace::kRotated;
  return {dtype, space, RopePairing::kHalfSplit, 16, k_dim, v_dim, k_dim, PageLayout::kSwizzled};
}

std::unique_ptr<DeviceBackend> Make(const PoolView& pool, int32_t shared_bytes) {
  DeviceBackend::Options options;
  options.pool = pool;
  options.staging_bytes = int64_t{1} << 20;
  options.scratch_bytes = int64_t{1} << 20;
  return std::make_unique<DeviceBackend>(options, "emulated",
                                         std::make_unique<sim::SimRuntime>(3, shared_bytes));
}

// Sequences of a few tiles each, a chunk and a decode step.
TestBatch BatchOf(const PageFormat& format) {
  kernels_testing::UsePageLayout(PageLayout::kSwizzled);
  TestBatch batch(format, 1, 21, FillOptions{0.05, 0.05, true});
  if (format.key_space == KeySpace::kCachePosition) {
    const int64_t periods[] = {1, 2};
    CascadeShape shape;
    shape.geometry = MakeCascadeGeometry(4, 2, 50, 64, true, periods);
    shape.inserted_tokens = 300;
    shape.pending_tokens = 20;
    batch.AddCascade(shape);
  } else {
    batch.AddSequence(SequenceShape{100, -1, -1, 90, 1});
    batch.AddSequence(SequenceShape{0, -1, -1, 70, 5});
  }
  batch.StoreStepTokens();
  batch.FillScores();
  return batch;
}

AttendResult Run(Backend& backend, const TestBatch& batch, const std::vector<float>& inv_freq) {
  LayerShape layer = MakeLayer(batch.page_format(), 0, 1, kGroup);
  layer.rope.inv_freq = inv_freq.data();
  const int64_t tokens = batch.View().total_tokens;
  const Tensor q = RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({9}));
  const MassRule rule{0.9f, false, GroupReduce::kMean};
  return RunAttend(backend, batch, layer, q, 0, tokens, &rule);
}

// Expects what a device of `shared_bytes` answers to be what a large one answers, and that
// to be what the reference does.
void ExpectSameAnswers(const PageFormat& format, int32_t shared_bytes) {
  std::vector<float> inv_freq;
  for (int32_t pair = 0; pair < format.rotary_dim / 2; ++pair) {
    inv_freq.push_back(std::pow(1e4f, -static_cast<float>(pair) / 64.0f));
  }
  const TestBatch batch = BatchOf(format);
  TestBatch reference_batch = batch, large_batch = batch, small_batch = batch;
  ReferenceBackend reference(reference_batch.pool(), nullptr);
  const AttendResult expected = Run(reference, reference_batch, inv_freq);
  const AttendResult large =
      Run(*Make(large_batch.pool(), kMostBytes), large_batch, inv_freq);
  const AttendResult small =
      Run(*Make(small_batch.pool(), shared_bytes), small_batch, inv_freq);
  EXPECT_TRUE(large.out.bytes == small.out.bytes);
  EXPECT_EQ(large.lse, small.lse);
  ExpectSamePools(large_batch.world(), small_batch.world(), kernels_testing::kBitForBit);
  ExpectSamePools(reference_batch.world(), small_batch.world());
  for (int64_t i = 0; i < expected.out.size(); ++i) {
    ASSERT_NEAR(small.out.Get(i), expected.out.Get(i), 1e-4) << i;
  }
}

class SharedMemoryTest : public testing::TestWithParam<Dtype> {};

// The largest dims of keys and values that the least shared memory takes.
int32_t MostDims(Dtype dtype, bool cascade) {
  if (dtype == Dtype::kF32) return cascade ? 192 : 224;
  return cascade ? 144 : 256;
}

TEST_P(SharedMemoryTest, EveryFormatIsAnsweredOrRefused) {
  for (const bool cascade : {false, true}) {
    for (const int32_t dim : {64, 96, 128, 144, 160, 192, 208, 224, 240, 256}) {
      const PageFormat format = FormatOf(GetParam(), dim, dim, cascade);
      SCOPED_TRACE(testing::Message() << dim << " cascade " << cascade);
      const bool fits = Make({}, kLeastBytes)->FormatFault(format).empty();
      EXPECT_EQ(fits, dim <= MostDims(GetParam(), cascade));
      if (fits) ExpectSameAnswers(format, kLeastBytes);
      EXPECT_EQ(Make({}, kMiddleBytes)->FormatFault(format), "");
      if (dim == 256) ExpectSameAnswers(format, kMiddleBytes);
      EXPECT_EQ(Make({}, kMostBytes)->FormatFault(format), "");
    }
  }
}

TEST_P(SharedMemoryTest, KeysAndValuesOfDifferentDimsShareAPlace) {
  for (const bool cascade : {false, true}) {
    for (const auto& [k_dim, v_dim] : {std::pair{32, 256}, {192, 128}, {128, 192}}) {
      SCOPED_TRACE(testing::Message() << k_dim << ", " << v_dim << " cascade " << cascade);
      const PageFormat format = FormatOf(GetParam(), k_dim, v_dim, cascade);
      if (Make({}, kLeastBytes)->FormatFault(format).empty()) {
        ExpectSameAnswers(format, kLeastBytes);
      } else {
        EXPECT_TRUE(cascade && k_dim == 192);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, SharedMemoryTest,
                         testing::Values(Dtype::kF32, Dtype::kBf16, Dtype::kF16),
                         [](const auto& info) { return DtypeName(info.param); });

TEST(SharedMemoryTest, AFaultSaysWhatCameAndWhatFits) {
  const auto backend = Make({}, kLeastBytes);
  EXPECT_EQ(backend->FormatFault(FormatOf(Dtype::kF32, 256, 256, false)),
            "fp32 keys of 256 dims and values of 256 need 107904 bytes of a block's shared "
            "memory, the device has 101376: up to 224 dims fit");
  EXPECT_THAT(backend->FormatFault(FormatOf(Dtype::kBf16, 256, 256, true)),
              testing::HasSubstr("up to 144 dims fit"));
  EXPECT_THAT(Make({}, 8 << 10)->FormatFault(FormatOf(Dtype::kBf16, 64, 64, false)),
              testing::HasSubstr("up to 0 dims fit"));
}

}  // namespace
}  // namespace sluice
