// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::RunOperation;
using kernels_testing::Tensor;
using kernels_testing::TestBatch;

// Slots of a row in the canonical form.
struct Exported {
  Tensor k;
  Tensor v;
  std::vector<int32_t> positions;
  std::vector<float> log_mass;
  std::vector<float> key_norms;

  Exported(const PageFormat& format, int64_t slots)
      : k(format.dtype, slots * format.k_dim),
        v(format.dtype, slots * format.v_dim),
        positions(static_cast<size_t>(slots)),
        log_mass(static_cast<size_t>(slots)),
        key_norms(static_cast<size_t>(slots)) {}
};

void ExpectSame(const Exported& expected, const Exported& actual) {
  EXPECT_TRUE(expected.k.bytes == actual.k.bytes);
  EXPECT_TRUE(expected.v.bytes == actual.v.bytes);
  EXPECT_EQ(expected.positions, actual.positions);
  EXPECT_EQ(expected.log_mass, actual.log_mass);
}

class TransferConformanceTest : public ConformanceTest {
 protected:
  static Exported Export(Backend& backend, const TestBatch& batch, int32_t row, int64_t first,
                         int64_t slots) {
    Exported result(batch.page_format(), slots);
    const std::vector<int64_t> offsets = RowOffsets(batch, batch.entries()[0], row, 1);
    ExportArgs args;
    args.rows = RowSet{&batch.entries()[0], row, 1, offsets.data()};
    args.first_slot = first;
    args.slots = slots;
    args.k = result.k.data();
    args.v = result.v.data();
    args.positions = result.positions.data();
    args.log_mass = result.log_mass.data();
    args.key_norms = result.key_norms.data();
    RunOperation(backend, args);
    return result;
  }

  static void Import(Backend& backend, const TestBatch& batch, const Exported& slots,
                     const std::vector<uint32_t>& pages, bool with_mass) {
    ImportArgs args;
    args.page_ids = pages.data();
    args.slots = static_cast<int64_t>(slots.positions.size());
    args.format = batch.format();
    args.k = slots.k.data();
    args.v = slots.v.data();
    args.positions = slots.positions.data();
    args.log_mass = with_mass ? slots.log_mass.data() : nullptr;
    RunOperation(backend, args);
  }

  static std::vector<uint32_t> TakePages(TestBatch& batch, int64_t slots) {
    std::vector<uint32_t> pages;
    for (int64_t slot = 0; slot < slots; slot += batch.page_format().page_size) {
      pages.push_back(batch.world().TakePage(batch.format()));
    }
    return pages;
  }

  TestBatch AnySequence() {
    return AnyBatch(AnyFormat(), 2, 1, 200, 1, FillOptions{0.05, 0.05, false});
  }

  static int64_t SlotsOf(const TestBatch& batch, int32_t row) {
    return MakeRow(batch.pool(), batch.entries()[0], row, batch.entries()[0].base_length).slots;
  }
};

TEST_P(TransferConformanceTest, ExportsAnyRangeOfARow) {
  for (int i = 0; i < 40; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    const TestBatch batch = AnySequence();
    const auto row = static_cast<int32_t>(random().Below(2));
    const int64_t first = random().Below(SlotsOf(batch, row) + 1);
    const int64_t slots = random().Below(SlotsOf(batch, row) - first + 1);
    const Exported expected = Export(*MakeReference(batch), batch, row, first, slots);
    const Exported actual = Export(*Make(batch), batch, row, first, slots);
    ExpectSame(expected, actual);
    EXPECT_EQ(expected.key_norms, actual.key_norms);
  }
}

TEST_P(TransferConformanceTest, ImportsWhatWasExported) {
  for (int i = 0; i < 40; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch expected = AnySequence();
    const int64_t slots = SlotsOf(expected, 0);
    const Exported exported = Export(*MakeReference(expected), expected, 0, 0, slots);
    const std::vector<uint32_t> pages = TakePages(expected, slots);
    TestBatch actual = expected;
    const bool with_mass = random().Chance(0.7);
    Import(*MakeReference(expected), expected, exported, pages, with_mass);
    Import(*Make(actual), actual, exported, pages, with_mass);
    ExpectSamePools(expected.world(), actual.world());
  }
}

TEST_P(TransferConformanceTest, ImportStopsWhatIsNotFinite) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    TestBatch expected = AnySequence();
    Exported exported = Export(*MakeReference(expected), expected, 0, 0, SlotsOf(expected, 0));
    if (exported.positions.empty()) continue;
    exported.k.Set(random().Below(exported.k.size()), std::numeric_limits<float>::quiet_NaN());
    exported.v.Set(random().Below(exported.v.size()), -std::numeric_limits<float>::infinity());
    const std::vector<uint32_t> pages = TakePages(expected, SlotsOf(expected, 0));
    TestBatch actual = expected;
    Import(*MakeReference(expected), expected, exported, pages, true);
    Import(*Make(actual), actual, exported, pages, true);
    ExpectSamePools(expected.world(), actual.world());
  }
}

// The imported pages in place of the first body row's: reads back the same.
TEST_P(TransferConformanceTest, RoundTripsThroughFreshPages) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    TestBatch batch(AnyFormat(), 1, NextSeed(), FillOptions{0.05, 0.05, false});
    const int64_t slots = random().Between(1, 150);
    batch.AddSequence(kernels_testing::SequenceShape{slots, -1, -1, 0, 1});
    const Exported before = Export(*Make(batch), batch, 0, 0, slots);
    const std::vector<uint32_t> pages = TakePages(batch, slots);
    Import(*Make(batch), batch, before, pages, true);
    auto* ids = batch.world().Table<uint32_t>(batch.entries()[0].bodies_offset +
                                              sizeof(BodiesRecord) + sizeof(BodyRow));
    ASSERT_NE(ids[0], pages[0]);
    std::copy(pages.begin(), pages.end(), ids);
    const Exported after = Export(*Make(batch), batch, 0, 0, slots);
    ExpectSame(before, after);
    for (size_t slot = 0; slot < after.key_norms.size(); ++slot) {
      EXPECT_FLOAT_EQ(after.key_norms[slot], before.key_norms[slot]);
    }
  }
}

SLUICE_CONFORMANCE_SUITE(TransferConformanceTest);

}  // namespace
}  // namespace sluice
