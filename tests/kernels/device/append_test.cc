// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/device/device_backend.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// Scratch for the turns of 32 tokens of 64 rotary dims: longer calls are cut.
constexpr int64_t kScratchBytes = 8192;

class DeviceAppendTest : public testing::Test {
 protected:
  DeviceAppendTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  // Appends the step's tokens to `expected` by the reference and to a copy over emulated
  // blocks; expects the same of both. Returns the vectors that were not finite.
  static int64_t ExpectSameAppend(TestBatch& expected, const LayerShape& layer, const Tensor& k,
                                  const Tensor& v) {
    TestBatch actual = expected;
    DeviceBackend::Options options;
    options.pool = actual.pool();
    options.staging_bytes = 4096;
    options.scratch_bytes = kScratchBytes;
    DeviceBackend device(options, "emulated", std::make_unique<sim::SimRuntime>(11));
    ReferenceBackend reference(expected.pool(), nullptr);
    const StepView view = expected.View();
    int64_t counts[2] = {};
    AppendArgs args{&view, &layer, k.data(), v.data(), k.dtype, v.dtype, 0, view.total_tokens,
                    &counts[0]};
    RunOperation(reference, args);
    args.non_finite_count = &counts[1];
    RunOperation(device, args);
    EXPECT_EQ(counts[0], counts[1]);
    ExpectSamePools(expected.world(), actual.world());
    return counts[1];
  }

  // Two kv heads of 64 dims, of which 64 or 40 turn.
  LayerShape TurningLayer(const PageFormat& format) {
    LayerShape layer = kernels_testing::MakeLayer(format, 1, 2, 1);
    inv_freq_.clear();
    for (int32_t pair = 0; pair < format.rotary_dim / 2; ++pair) {
      inv_freq_.push_back(std::pow(1e4f, -static_cast<float>(pair) / 32.0f));
    }
    layer.rope.inv_freq = inv_freq_.data();
    layer.rope.attention_factor = 1.2f;
    return layer;
  }

  static Tensor AnyVectors(const TestBatch& batch, Dtype dtype, int64_t seed) {
    return RandomTensor(dtype, batch.View().total_tokens * 2 * 64, Random({seed}));
  }

  std::vector<float> inv_freq_;
};

// Sequences with keys at cache positions beside one without, more tokens than turns fit.
TEST_F(DeviceAppendTest, TurnsKeysBackBitForBitInParts) {
  for (const RopePairing pairing : {RopePairing::kHalfSplit, RopePairing::kInterleaved}) {
    for (const int32_t rotary_dim : {64, 40}) {
      for (const Dtype stored : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
        PageFormat format{stored, KeySpace::kCachePosition, pairing, 16, 64, 64, rotary_dim};
        TestBatch batch(format, 3, 5);
        batch.AddSequence(SequenceShape{20, -1, -1, 7, 70});
        batch.AddSequence(SequenceShape{0, 100000, 9, 0, 1});
        format.key_space = KeySpace::kRotated;
        batch.AddFormat(format);
        batch.AddSequence(SequenceShape{0, -1, -1, 3, 30});
        const Tensor k = AnyVectors(batch, Dtype::kBf16, 1);
        const Tensor v = AnyVectors(batch, Dtype::kF16, 2);
        EXPECT_EQ(ExpectSameAppend(batch, TurningLayer(format), k, v), 0);
      }
    }
  }
}

TEST_F(DeviceAppendTest, NormsReachTheEndsOfFp32) {
  const PageFormat format{Dtype::kF32, {}, {}, 16, 64, 64, 0};
  for (const float size : {3e38f, 1e30f, 1e-30f, 1e-44f}) {
    TestBatch batch(format, 3, 6);
    batch.AddSequence(SequenceShape{0, -1, -1, 5, 20});
    Tensor k = AnyVectors(batch, Dtype::kF32, 3);
    for (int64_t i = 0; i < k.size(); ++i) k.Set(i, i % 2 == 0 ? size : -size);
    const LayerShape layer = kernels_testing::MakeLayer(format, 1, 2, 1);
    EXPECT_EQ(ExpectSameAppend(batch, layer, k, AnyVectors(batch, Dtype::kF32, 4)), 0);
    const Row row = MakeRow(batch.pool(), batch.entries()[0], 1, 20);
    const float norm =
        PageKeyNorms(batch.pool(), row.spans[0].format->slab, row.spans[0].Page(0))[6];
    EXPECT_EQ(std::isinf(norm), size == 3e38f);
  }
}

TEST_F(DeviceAppendTest, CountsVectorsThatAreNotFinite) {
  const PageFormat format{Dtype::kF16, {}, {}, 32, 64, 64, 0};
  TestBatch batch(format, 3, 7);
  batch.AddSequence(SequenceShape{0, -1, -1, 30, 40});
  Tensor k = AnyVectors(batch, Dtype::kF32, 5);
  Tensor v = AnyVectors(batch, Dtype::kF32, 6);
  k.Set(3, 7e4f);                      // token 0, beyond fp16
  v.Set(3, std::nanf(""));             // the same vector again
  v.Set(64 * 2 * 39 + 64, -INFINITY);  // the last token's second head
  const LayerShape layer = kernels_testing::MakeLayer(format, 1, 2, 1);
  EXPECT_EQ(ExpectSameAppend(batch, layer, k, v), 2);
}

}  // namespace
}  // namespace sluice
