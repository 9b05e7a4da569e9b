// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/device/device_backend.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/random.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

std::vector<float> Score(const TestBatch& batch, const LayerShape& layer, int64_t scratch_bytes) {
  DeviceBackend::Options options;
  options.pool = batch.pool();
  options.staging_bytes = 4096;
  options.scratch_bytes = scratch_bytes;
  DeviceBackend backend(options, "emulated", std::make_unique<sim::SimRuntime>(7));
  const ViewEntry& entry = batch.entries()[0];
  const std::vector<int64_t> offsets = RowOffsets(batch, entry, 0, layer.kv_heads);
  std::vector<float> scores(static_cast<size_t>(offsets.back()), -1.0f);
  WindowScoreArgs args;
  args.rows = RowSet{&entry, 0, layer.kv_heads, offsets.data()};
  args.layer = &layer;
  args.length = entry.base_length + entry.token_count;
  args.observation = batch.Ring(0, layer);
  args.layout = batch.RingLayout(0, layer);
  args.window = 9;
  args.pool = WindowPool::kMax;
  args.pool_width = 5;
  args.scores = scores.data();
  kernels_testing::RunOperation(backend, args);
  return scores;
}

// 28 KiB: a row of the three at a time; 60: two; 17: three query heads of a row, then the
// other two; 12: two, two and one.
TEST(DeviceWindowScoreTest, WhatScratchHoldsAtATimeDoesNotShow) {
  kernels_testing::UsePageLayout(PageLayout::kSwizzled);
  const PageFormat format{Dtype::kF16, {}, {}, 32, 64, 16, 0};
  TestBatch batch(format, 3, 5);
  batch.AddSequence(SequenceShape{150, -1, -1, 130, 9});
  batch.StoreStepTokens();
  const LayerShape layer = kernels_testing::MakeLayer(format, 0, 3, 5);
  batch.AddObservations(layer, 9);
  const Tensor q = RandomTensor(Dtype::kF16, 9 * layer.q_heads * layer.k_dim, Random({3}), 1.5f);
  ReferenceBackend reference(batch.pool(), nullptr);
  RunObserve(reference, batch, layer, q, {}, 0, 9);
  const std::vector<float> whole = Score(batch, layer, 1 << 20);
  EXPECT_GT(whole[0], 0.0f);
  EXPECT_EQ(Score(batch, layer, 28 << 10), whole);
  EXPECT_EQ(Score(batch, layer, 60 << 10), whole);
  EXPECT_EQ(Score(batch, layer, 17 << 10), whole);
  EXPECT_EQ(Score(batch, layer, 12 << 10), whole);
}

}  // namespace
}  // namespace sluice
