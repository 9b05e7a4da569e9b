// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <vector>

#include "tests/kernels/conformance/backends.h"

namespace sluice {
namespace {

using kernels_testing::ConformanceTest;
using kernels_testing::FillOptions;
using kernels_testing::RunOperation;
using kernels_testing::TestBatch;

constexpr int32_t kRows = 4;

// A job over some rows of a batch's only sequence: what stays and where it goes.
struct Job {
  int32_t first_row = 0;
  std::vector<int64_t> offsets;  // [rows + 1], in slots
  std::vector<uint32_t> masks;
  std::vector<int64_t> kept;  // [rows]
  std::vector<int64_t> destination_offsets;
  std::vector<uint32_t> destination_pages;

  RowSet Rows(const TestBatch& batch) const {
    return RowSet{&batch.entries()[0], first_row, static_cast<int32_t>(kept.size()),
                  offsets.data()};
  }
};

class CompactConformanceTest : public ConformanceTest {
 protected:
  // Runs of slots that all stay, all go, or are mixed, so that whole pages
  // occur; or, with a share other than 1, each slot by chance.
  std::vector<uint32_t> AnyMasks(const TestBatch& batch, const Job& job, double kept_share) {
    std::vector<uint32_t> masks(static_cast<size_t>(job.offsets.back() / 32));
    const int kind = kept_share < 1.0 ? 3 : static_cast<int>(random().Below(4));
    for (size_t r = 0; r + 1 < job.offsets.size(); ++r) {
      const Row row =
          MakeRow(batch.pool(), batch.entries()[0], job.first_row + static_cast<int32_t>(r),
                  batch.entries()[0].base_length);
      double share = kept_share;
      for (int64_t slot = 0; slot < row.slots; ++slot) {
        if (slot % 16 == 0 && kind < 3) share = random().Of({1.0, 1.0, 0.0, 0.5});
        const int64_t bit = job.offsets[r] + slot;
        if (random().Chance(share)) masks[bit / 32] |= 1u << (bit % 32);
      }
    }
    return masks;
  }

  Job AnyJob(TestBatch& batch, double kept_share = 1.0) {
    Job job;
    job.first_row = static_cast<int32_t>(random().Below(2));
    const int32_t rows = kRows - job.first_row;
    job.offsets = RowOffsets(batch, batch.entries()[0], job.first_row, rows);
    job.masks = AnyMasks(batch, job, kept_share);
    job.destination_offsets = {0};
    for (int32_t r = 0; r < rows; ++r) {
      int64_t kept = 0;
      for (int64_t word = job.offsets[r] / 32; word < job.offsets[r + 1] / 32; ++word) {
        kept += std::popcount(job.masks[word]);
      }
      const int32_t page_size = batch.page_format().page_size;
      job.kept.push_back(kept);
      job.destination_offsets.push_back(job.destination_offsets.back() +
                                        RoundUp(kept, page_size) / page_size);
    }
    while (static_cast<int64_t>(job.destination_pages.size()) < job.destination_offsets.back()) {
      job.destination_pages.push_back(batch.world().TakePage(batch.format()));
    }
    return job;
  }

  TestBatch AnySequence(bool scores) {
    TestBatch batch = AnyBatch(AnyFormat(), kRows, 1, 400, 1, FillOptions{0.05, 0.05, scores});
    if (scores) batch.FillScores();
    return batch;
  }

  static std::vector<uint32_t> Compact(Backend& backend, const TestBatch& batch, const Job& job) {
    std::vector<uint32_t> reused(job.destination_pages.size(), 12345u);
    CompactArgs args;
    args.rows = job.Rows(batch);
    args.masks = job.masks.data();
    args.destination_pages = job.destination_pages.data();
    args.destination_offsets = job.destination_offsets.data();
    args.destination_format = batch.format();
    args.reused = reused.data();
    RunOperation(backend, args);
    return reused;
  }

  // The scores of the kept slots, the rows one after another; 0 between them.
  static std::vector<float> MoveScores(Backend& backend, const TestBatch& batch, const Job& job,
                                       bool all, int32_t window = -1) {
    std::vector<float> moved(static_cast<size_t>(job.offsets.back()));
    MoveScoresArgs args;
    args.rows = job.Rows(batch);
    args.masks = all ? nullptr : job.masks.data();
    args.destination_offsets = job.offsets.data();
    args.destination = moved.data();
    if (window >= 0) {  // means
      args.seen_below = args.rows.entry->base_length + 3;
      args.window = window;
    }
    RunOperation(backend, args);
    return moved;
  }
};

TEST_P(CompactConformanceTest, GathersWhatStaysAndNamesWholePages) {
  for (int i = 0; i < 40; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch expected = AnySequence(false);
    const Job job = AnyJob(expected);
    TestBatch actual = expected;
    EXPECT_EQ(Compact(*MakeReference(expected), expected, job),
              Compact(*Make(actual), actual, job));
    ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
  }
}

// So much that it goes past a processor's caches.
TEST_P(CompactConformanceTest, GathersLargeJobs) {
  PageFormat format = AnyFormat();
  format.k_dim = format.v_dim = 256;
  const int64_t bytes = int64_t{4} << (GetParam().slow ? 17 : 20);
  const int64_t slots = bytes / (512 * DtypeBytes(format.dtype));
  TestBatch expected(format, kRows, NextSeed());
  expected.AddSequence(kernels_testing::SequenceShape{0, 0, 0, slots, 1});
  const Job job = AnyJob(expected, 0.8);
  TestBatch actual = expected;
  Compact(*MakeReference(expected), expected, job);
  Compact(*Make(actual), actual, job);
  ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
}

// So long that a warp goes over a row's mask in several turns, and over that of one page.
TEST_P(CompactConformanceTest, GathersAndMovesTheScoresOfLongSparseRows) {
  const PageFormat format{Dtype::kBf16, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0};
  TestBatch expected(format, kRows, NextSeed(), FillOptions{0.0, 0.0, true});
  expected.AddSequence(kernels_testing::SequenceShape{0, 0, 0, 9000, 1});
  expected.FillScores();
  const Job job = AnyJob(expected, 0.01);
  TestBatch actual = expected;
  EXPECT_EQ(Compact(*MakeReference(expected), expected, job), Compact(*Make(actual), actual, job));
  ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
  for (const bool all : {false, true}) {
    EXPECT_EQ(MoveScores(*MakeReference(expected), expected, job, all),
              MoveScores(*Make(expected), expected, job, all));
  }
}

// Read back through a row: what a compacted sequence is to the next step.
TEST_P(CompactConformanceTest, WholePagesAreTakenOverExactlyWhereTheyFit) {
  TestBatch batch(AnyFormat(), kRows, NextSeed());
  const int32_t page_size = batch.page_format().page_size;
  batch.AddSequence(kernels_testing::SequenceShape{0, 0, 0, 3 * page_size, 1});
  Job job = AnyJob(batch);
  std::fill(job.masks.begin(), job.masks.end(), 0u);
  job.destination_offsets.clear();
  for (size_t r = 0; r < job.kept.size(); ++r) {
    for (int64_t slot = 0; slot < 2 * page_size; ++slot) {
      const int64_t bit = job.offsets[r] + slot;
      job.masks[bit / 32] |= 1u << (bit % 32);
    }
    job.destination_offsets.push_back(static_cast<int64_t>(2 * r));
  }
  job.destination_offsets.push_back(static_cast<int64_t>(2 * job.kept.size()));
  job.destination_pages.assign(2 * job.kept.size(), kNoPage);  // none may be written
  const std::vector<uint32_t> reused = Compact(*Make(batch), batch, job);
  for (size_t r = 0; r < job.kept.size(); ++r) {
    const Row row = MakeRow(batch.pool(), batch.entries()[0],
                            job.first_row + static_cast<int32_t>(r), 3 * page_size);
    EXPECT_EQ(reused[2 * r], row.spans[0].Page(0));
    EXPECT_EQ(reused[2 * r + 1], row.spans[0].Page(1));
  }
}

TEST_P(CompactConformanceTest, CopiesScoresFromPlaceToPlace) {
  const std::vector<float> from = {1, 2, 3, 4, 5, 6};
  std::vector<float> to(6, -1.0f);
  const ScoreCopy copies[] = {{from.data(), to.data() + 2, 2}, {from.data() + 5, to.data(), 1}};
  CopyScoresArgs args;
  args.copies = copies;
  args.copy_count = 2;
  const TestBatch batch = AnySequence(true);
  RunOperation(*Make(batch), args);
  EXPECT_EQ(to, (std::vector<float>{6, -1, 1, 2, -1, -1}));
}

TEST_P(CompactConformanceTest, MovesTheScoresOfWhatStaysOrOfAll) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch batch = AnySequence(true);
    const Job job = AnyJob(batch);
    for (const bool all : {false, true}) {
      EXPECT_EQ(MoveScores(*MakeReference(batch), batch, job, all),
                MoveScores(*Make(batch), batch, job, all));
      for (const int32_t window : {0, 7}) {
        EXPECT_EQ(MoveScores(*MakeReference(batch), batch, job, all, window),
                  MoveScores(*Make(batch), batch, job, all, window));
      }
    }
  }
}

TEST_P(CompactConformanceTest, CopiesPagesUpToASlot) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    TestBatch expected = AnyBatch(AnyFormat(), kRows, 1, 100, 1, FillOptions{0.1, 0.1, false});
    expected.StoreStepTokens();
    const Row row =
        MakeRow(expected.pool(), expected.entries()[0], 0, expected.entries()[0].base_length + 1);
    std::vector<PageCopy> pages;
    for (int32_t s = 0; s < row.span_count; ++s) {
      pages.push_back(PageCopy{row.spans[s].Page(0), expected.world().TakePage(expected.format())});
    }
    CopyPagesArgs args;
    args.pages = pages.data();
    args.page_count = static_cast<int64_t>(pages.size());
    args.slots = static_cast<int32_t>(random().Between(1, expected.page_format().page_size));
    args.format = expected.format();
    TestBatch actual = expected;
    RunOperation(*MakeReference(expected), args);
    RunOperation(*Make(actual), args);
    ExpectSamePools(expected.world(), actual.world(), kernels_testing::kBitForBit);
  }
}

SLUICE_CONFORMANCE_SUITE(CompactConformanceTest);

}  // namespace
}  // namespace sluice
