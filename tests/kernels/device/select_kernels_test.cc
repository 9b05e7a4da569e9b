// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
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
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr int32_t kRows = 6;

struct Selection {
  std::vector<uint32_t> masks;
  std::vector<int32_t> counts;
};

// Select over emulated blocks with scratch of any size, against the reference.
class SelectKernelsTest : public testing::Test {
 protected:
  SelectKernelsTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  static TestBatch Sequence(int64_t slots) {
    TestBatch batch({Dtype::kBf16, {}, {}, 32, 16, 16, 0}, kRows, 3);
    batch.AddSequence(SequenceShape{slots / 2, -1, -1, slots - slots / 2, 1});
    return batch;
  }

  // Few different values among many, so that there are ties at every threshold.
  std::vector<float> Scores(int64_t count) {
    std::vector<float> scores;
    for (int64_t i = 0; i < count; ++i) {
      scores.push_back(static_cast<float>(random_.Below(2000) - 1000) * 0.37f);
    }
    return scores;
  }

  static Selection Select(Backend& backend, SelectArgs args) {
    const int32_t rows = args.rows.row_count;
    Selection selection{
        std::vector<uint32_t>(static_cast<size_t>(args.rows.row_offsets[rows] / 32)),
        std::vector<int32_t>(static_cast<size_t>(args.segment_count * rows), -1)};
    args.masks = selection.masks.data();
    args.counts = selection.counts.data();
    RunOperation(backend, args);
    return selection;
  }

  void ExpectSameSelection(const TestBatch& batch, const std::vector<SelectSegment>& segments,
                           int64_t scratch_bytes, bool bounded = true) {
    const std::vector<int64_t> offsets = RowOffsets(batch, batch.entries()[0], 0, kRows);
    const std::vector<float> scores = Scores(offsets.back());
    SelectArgs args;
    args.rows = RowSet{&batch.entries()[0], 0, kRows, offsets.data()};
    args.scores = scores.data();
    args.segments = segments.data();
    args.segment_count = static_cast<int32_t>(segments.size());
    if (bounded) {
      args.at_least = random_.Below(40);
      args.at_most = args.at_least + random_.Below(400);
    }
    DeviceBackend::Options options;
    options.pool = batch.pool();
    options.staging_bytes = 4096;
    options.scratch_bytes = scratch_bytes;
    DeviceBackend device(options, "emulated", std::make_unique<sim::SimRuntime>(5));
    ReferenceBackend reference(batch.pool(), nullptr);
    const Selection expected = Select(reference, args);
    const Selection actual = Select(device, args);
    EXPECT_EQ(expected.masks, actual.masks);
    EXPECT_EQ(expected.counts, actual.counts);
  }

 private:
  Random random_ = Random({17});
};

// With less scratch digits are narrower, and in the end segments are done one by one.
TEST_F(SelectKernelsTest, ScratchOfAnySizeGivesTheSame) {
  const TestBatch batch = Sequence(150);
  const std::vector<SelectSegment> all = {{0, kRows, 400, 10, 140, 5}};
  const std::vector<SelectSegment> parts = {{0, 2, 90}, {2, 3, 200, 60, 100}, {5, 1, 33, 3}};
  for (const int64_t scratch_bytes : {2 << 10, 3 << 10, 8 << 10, 30 << 10, 1 << 20}) {
    SCOPED_TRACE(scratch_bytes);
    for (int i = 0; i < 3; ++i) {
      ExpectSameSelection(batch, all, scratch_bytes);
      ExpectSameSelection(batch, parts, scratch_bytes);
    }
  }
}

// Several blocks count a row, and its marks carry ties from turn to turn.
TEST_F(SelectKernelsTest, RowsOfManyTilesAreOneRanking) {
  const TestBatch batch = Sequence(10000);
  ExpectSameSelection(batch, {{0, 1, 5001, 7, 9000}, {1, 2, 700}, {3, 3, 1100, 0, 9900, 4000}},
                      1 << 20, false);
}

TEST_F(SelectKernelsTest, AsManyAsThereCanBeKeepsAll) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  ExpectSameSelection(Sequence(70), {{0, 2, most}, {2, 1, most}, {3, 3, 0}}, 1 << 20,
                      false);
}

}  // namespace
}  // namespace sluice
