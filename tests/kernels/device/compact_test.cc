// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kernels/device/device_backend.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::FillOptions;
using kernels_testing::RunOperation;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr int32_t kRows = 3;

// Format number 0 of a batch, that of the pages that are written.
constexpr uint16_t kDestination = 0;

class DeviceCompactTest : public testing::Test {
 protected:
  DeviceCompactTest() { kernels_testing::UsePageLayout(PageLayout::kSwizzled); }

  // Room for what 16 pages hold: larger jobs are cut.
  static DeviceBackend::Options Options(const TestBatch& batch) {
    DeviceBackend::Options options;
    options.pool = batch.pool();
    options.staging_bytes = 4096;
    options.scratch_bytes = 256;
    return options;
  }

  // Rows of up to 500 slots in the body and 200 in the tail, in pages of `source`.
  static TestBatch AnySequence(const PageFormat& source, const PageFormat& destination) {
    TestBatch batch(destination, kRows, 8, FillOptions{0.05, 0.05, false});
    batch.AddFormat(source);
    batch.AddSequence(SequenceShape{500, -1, 3, 200, 1});
    return batch;
  }

  // Where the pages of each row start.
  static std::vector<int64_t> PageOffsets(const TestBatch& batch,
                                          const std::vector<int64_t>& offsets,
                                          const std::vector<uint32_t>* masks) {
    const ViewEntry& entry = batch.entries()[0];
    const int32_t page_size = batch.world().format(kDestination).page.page_size;
    std::vector<int64_t> page_offsets = {0};
    for (int32_t r = 0; r < kRows; ++r) {
      int64_t kept = 0;
      const int64_t slots = MakeRow(batch.pool(), entry, r, entry.base_length).slots;
      for (int64_t bit = offsets[r]; bit < offsets[r] + slots; ++bit) {
        if (masks == nullptr || ((*masks)[bit / 32] >> (bit % 32) & 1u) != 0) ++kept;
      }
      page_offsets.push_back(page_offsets.back() + RoundUp(kept, page_size) / page_size);
    }
    return page_offsets;
  }

  // By the reference and over emulated blocks; expects the same of both. Returns `reused`.
  static std::vector<uint32_t> ExpectSameCompact(TestBatch& expected,
                                                 const std::vector<uint32_t>* masks) {
    const ViewEntry& entry = expected.entries()[0];
    const std::vector<int64_t> offsets = RowOffsets(expected, entry, 0, kRows);
    const std::vector<int64_t> page_offsets = PageOffsets(expected, offsets, masks);
    std::vector<uint32_t> pages;
    for (int64_t i = 0; i < page_offsets.back(); ++i) {
      pages.push_back(expected.world().TakePage(kDestination));
    }
    TestBatch actual = expected;
    std::vector<uint32_t> reused[2] = {pages, pages};
    CompactArgs args;
    args.rows = RowSet{&expected.entries()[0], 0, kRows, offsets.data()};
    args.masks = masks == nullptr ? nullptr : masks->data();
    args.destination_pages = pages.data();
    args.destination_offsets = page_offsets.data();
    args.destination_format = kDestination;
    args.reused = reused[0].data();
    ReferenceBackend reference(expected.pool(), nullptr);
    RunOperation(reference, args);
    args.reused = reused[1].data();
    DeviceBackend device(Options(actual), "emulated", std::make_unique<sim::SimRuntime>(3));
    RunOperation(device, args);
    EXPECT_EQ(reused[0], reused[1]);
    ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
    return reused[1];
  }
};

TEST_F(DeviceCompactTest, PagesOfAnotherFormatAreConverted) {
  for (const Dtype from : {Dtype::kF32, Dtype::kBf16}) {
    for (const Dtype to : {Dtype::kF32, Dtype::kF16}) {
      TestBatch batch = AnySequence(PageFormat{from, {}, {}, 16, 80, 48, 0},
                                    PageFormat{to, {}, {}, 64, 80, 48, 0});
      const std::vector<uint32_t> masks(3 * 700 / 32 + 3, 0xf0f3ff0fu);
      for (const uint32_t page : ExpectSameCompact(batch, &masks)) EXPECT_EQ(page, kNoPage);
    }
  }
}

// Few slots far apart, so that a page's come from many words of the mask.
TEST_F(DeviceCompactTest, SparseMasksAreGatheredInOrder) {
  const PageFormat format{Dtype::kBf16, {}, {}, 32, 64, 64, 0};
  TestBatch batch = AnySequence(format, format);
  std::vector<uint32_t> masks(3 * 700 / 32 + 3);
  for (size_t word = 0; word < masks.size(); word += 3) masks[word] = 0x80000001u;
  ExpectSameCompact(batch, &masks);
}

TEST_F(DeviceCompactTest, WithoutMasksAllStaysInParts) {
  const PageFormat format{Dtype::kF16, {}, {}, 16, 64, 64, 0};
  TestBatch batch = AnySequence(format, format);
  EXPECT_GT(ExpectSameCompact(batch, nullptr).size(), 32u);
}

}  // namespace
}  // namespace sluice
