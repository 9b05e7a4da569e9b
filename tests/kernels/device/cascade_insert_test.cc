// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/core/mass.h"
#include "kernels/device/device_backend.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using kernels_testing::CascadeShape;
using kernels_testing::FillOptions;
using kernels_testing::RunCascadeInsert;
using kernels_testing::TestBatch;

constexpr int32_t kGroup = 3;

class DeviceCascadeInsertTest : public testing::Test {
 protected:
  DeviceCascadeInsertTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  static TestBatch BatchOf(const std::vector<CascadeShape>& shapes, GroupReduce reduce) {
    const PageFormat format{Dtype::kBf16, KeySpace::kCachePosition, {}, 16, 80, 32, 0};
    TestBatch batch(format, 4, 11, FillOptions{0.05, 0.05, true});
    for (CascadeShape shape : shapes) {
      shape.score_sums = PendingSums(reduce, kGroup);
      batch.AddCascade(shape);
    }
    batch.StoreStepTokens();
    for (size_t e = 0; e < shapes.size(); ++e) {
      const ViewEntry& entry = batch.entries()[e];
      batch.SetStep(e, entry.base_length + entry.token_count, 0);
    }
    batch.FillScores();
    return batch;
  }

  static CascadeShape Shape(int32_t rings, int32_t ring_slots, int64_t inserted,
                            int32_t step_tokens) {
    std::vector<int64_t> periods;
    for (int32_t i = 0; i < rings; ++i) periods.push_back(1 + i % 2);
    CascadeShape shape;
    shape.geometry = MakeCascadeGeometry(5, rings, ring_slots, 64, true, periods.data());
    shape.inserted_tokens = inserted;
    shape.step_tokens = step_tokens;
    return shape;
  }

  static void Insert(TestBatch& batch, GroupReduce reduce, int64_t scratch_bytes) {
    DeviceBackend::Options options;
    options.pool = batch.pool();
    options.staging_bytes = 4096;
    options.scratch_bytes = scratch_bytes;
    DeviceBackend backend(options, "emulated", std::make_unique<sim::SimRuntime>(7));
    RunCascadeInsert(backend, batch, kernels_testing::MakeLayer(batch.page_format(), 0, 4, kGroup),
                     MassRule{0.9f, false, reduce});
  }
};

// 3 KiB: sets of rows, and runs of slots on their way, of which a row needs several.
TEST_F(DeviceCascadeInsertTest, WhatScratchHoldsAtATimeDoesNotShow) {
  const TestBatch batch =
      BatchOf({Shape(3, 20, 200, 50), Shape(2, 40, 7, 90), Shape(4, 9, 0, 30)}, GroupReduce::kMax);
  TestBatch whole = batch;
  Insert(whole, GroupReduce::kMax, 1 << 20);
  for (const int64_t scratch_bytes : {3 << 10, 8 << 10, 40 << 10}) {
    TestBatch cut = batch;
    Insert(cut, GroupReduce::kMax, scratch_bytes);
    ExpectSamePools(whole.world(), cut.world(), kernels_testing::kBitForBit);
  }
}

// A lane for every ring that there can be, and more rings than tokens.
TEST_F(DeviceCascadeInsertTest, AsManyRingsAsThereCanBe) {
  for (const int32_t tokens : {1, 10, 120}) {
    const TestBatch batch =
        BatchOf({Shape(kMaxCascadeRings, 4, 150, tokens), Shape(kMaxCascadeRings, 1, 40, tokens)},
                GroupReduce::kMean);
    TestBatch expected = batch;
    TestBatch actual = batch;
    ReferenceBackend reference(expected.pool(), nullptr);
    RunCascadeInsert(reference, expected,
                     kernels_testing::MakeLayer(batch.page_format(), 0, 4, kGroup),
                     MassRule{0.9f, false, GroupReduce::kMean});
    Insert(actual, GroupReduce::kMean, 1 << 20);
    ExpectSamePools(expected.world(), actual.world());
  }
}

}  // namespace
}  // namespace sluice
