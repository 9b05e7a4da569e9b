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
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr int32_t kRows = 6;

// What one Select wrote.
struct Selection {
  std::vector<uint32_t> masks;
  std::vector<int32_t> counts;
};

class SelectConformanceTest : public ConformanceTest {
 protected:
  PageFormat SmallFormat() {
    return PageFormat{
        Dtype::kBf16, KeySpace::kRotated, RopePairing::kNone, random().Of({16, 32, 64}), 16, 16, 0};
  }

  // One sequence with a ragged body and a tail, `slots` slots at most in a row.
  TestBatch OneSequence(int64_t slots) {
    TestBatch batch(SmallFormat(), kRows, NextSeed(), FillOptions{0.1, 0.0, false});
    SequenceShape shape;
    shape.body_slots = random().Below(slots + 1);
    shape.stored_tokens = slots - shape.body_slots;
    batch.AddSequence(shape);
    return batch;
  }

  // A sequence whose rows are all of one length.
  TestBatch EvenSequence(int64_t slots) {
    TestBatch batch(SmallFormat(), kRows, NextSeed());
    batch.AddSequence(SequenceShape{0, -1, -1, slots, 1});
    return batch;
  }

  // Few different values, so that ties are common; quarters are exact in any sum.
  std::vector<float> ScriptedScores(int64_t count, int64_t different) {
    std::vector<float> scores;
    for (int64_t i = 0; i < count; ++i) {
      const auto score = static_cast<float>(random().Below(different) - different / 2) / 4.0f;
      const bool special = random().Chance(0.02);
      scores.push_back(!special ? score
                                : random().Of({std::numeric_limits<float>::quiet_NaN(),
                                               -std::numeric_limits<float>::infinity(),
                                               std::numeric_limits<float>::infinity(), -0.0f}));
    }
    return scores;
  }

  SelectSegment AnySegment(int32_t first_row, int32_t row_count, int64_t slots, int64_t end) {
    SelectSegment segment;
    segment.first_row = first_row;
    segment.row_count = row_count;
    segment.k = random().Below(slots * row_count + slots / 4 + 2);
    if (random().Chance(0.5)) segment.protect_below_position = random().Below(end / 8 + 2);
    if (random().Chance(0.5)) segment.protect_from_position = end - random().Below(end / 4 + 2);
    if (random().Chance(0.2)) segment.drop_below_position = random().Below(end / 2 + 1);
    return segment;
  }

  // Splits the rows into segments of 1 to 3 rows; some rows may belong to none.
  std::vector<SelectSegment> AnySegments(int64_t slots, int64_t end) {
    std::vector<SelectSegment> segments;
    for (int32_t row = 0; row < kRows;) {
      const auto count =
          static_cast<int32_t>(std::min<int64_t>(random().Between(1, 3), kRows - row));
      if (random().Chance(0.9)) segments.push_back(AnySegment(row, count, slots, end));
      row += count;
    }
    if (segments.empty()) segments.push_back(AnySegment(0, kRows, slots, end));
    return segments;
  }

  static Selection Select(Backend& backend, SelectArgs args, bool with_masks) {
    const int64_t words = args.rows.row_offsets[args.rows.row_count] / 32;
    Selection selection{
        std::vector<uint32_t>(static_cast<size_t>(words), 0xa5a5a5a5u),
        std::vector<int32_t>(static_cast<size_t>(args.segment_count * args.rows.row_count), -1)};
    args.masks = with_masks ? selection.masks.data() : nullptr;
    args.counts = selection.counts.data();
    RunOperation(backend, args);
    return selection;
  }

  void ExpectSameSelection(const TestBatch& batch, SelectArgs args, bool with_masks = true) {
    const std::vector<int64_t> offsets = RowOffsets(batch, batch.entries()[0], 0, kRows);
    args.rows = RowSet{&batch.entries()[0], 0, kRows, offsets.data()};
    const Selection expected = Select(*MakeReference(batch), args, with_masks);
    const Selection actual = Select(*Make(batch), args, with_masks);
    EXPECT_EQ(expected.masks, actual.masks);
    EXPECT_EQ(expected.counts, actual.counts);
    args.counts = nullptr;
  }
};

TEST_P(SelectConformanceTest, RowsOfASegmentCompete) {
  for (int i = 0; i < 60; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    const int64_t slots = random().Between(1, 300);
    const TestBatch batch = OneSequence(slots);
    const std::vector<float> scores =
        ScriptedScores(kRows * RoundUp(slots, 32), random().Of({2, 20, 5000}));
    const std::vector<SelectSegment> segments = AnySegments(slots, batch.entries()[0].base_length);
    SelectArgs args;
    args.scores = random().Chance(0.1) ? nullptr : scores.data();
    args.segments = segments.data();
    args.segment_count = static_cast<int32_t>(segments.size());
    if (random().Chance(0.4)) args.at_least = random().Below(slots / 3 + 1);
    if (random().Chance(0.4)) args.at_most = args.at_least + random().Below(slots);
    ExpectSameSelection(batch, args);
  }
}

TEST_P(SelectConformanceTest, CombinedRowsShareAMask) {
  for (int i = 0; i < 40; ++i) {
    if (!TakesCase()) continue;
    SCOPED_TRACE(i);
    const int64_t slots = random().Between(1, 200);
    const TestBatch batch = EvenSequence(slots);
    const std::vector<float> scores =
        ScriptedScores(kRows * RoundUp(slots, 32), random().Of({2, 20, 5000}));
    const std::vector<SelectSegment> segments = AnySegments(slots, batch.entries()[0].base_length);
    SelectArgs args;
    args.scores = scores.data();
    args.segments = segments.data();
    args.segment_count = static_cast<int32_t>(segments.size());
    args.combine = random().Of({RowCombine::kMean, RowCombine::kMax});
    ExpectSameSelection(batch, args);
  }
}

TEST_P(SelectConformanceTest, CountsOfNestedSegments) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    const int64_t slots = random().Between(1, 200);
    const TestBatch batch = OneSequence(slots);
    const std::vector<float> scores = ScriptedScores(kRows * RoundUp(slots, 32), 40);
    std::vector<SelectSegment> segments;
    for (int32_t rows = 1; rows <= kRows; ++rows) {
      segments.push_back(AnySegment(0, rows, slots, batch.entries()[0].base_length));
    }
    SelectArgs args;
    args.scores = scores.data();
    args.segments = segments.data();
    args.segment_count = kRows;
    ExpectSameSelection(batch, args, false);
  }
}

// More than 8192 slots, of which a block of threads marks as many at a time.
TEST_P(SelectConformanceTest, LongRows) {
  constexpr int64_t kSlots = 11500;
  for (const int64_t different : {3, 1 << 20}) {
    if (!TakesCase(2)) continue;
    const TestBatch batch = different == 3 ? EvenSequence(kSlots) : OneSequence(kSlots);
    const std::vector<float> scores = ScriptedScores(kRows * RoundUp(kSlots, 32), different);
    SelectSegment segments[] = {AnySegment(0, 1, kSlots, kSlots),
                                AnySegment(1, 5, kSlots, kSlots)};
    segments[0].k = kSlots / 2;
    SelectArgs args;
    args.scores = scores.data();
    args.segments = segments;
    args.segment_count = 2;
    ExpectSameSelection(batch, args);
  }
}

TEST_P(SelectConformanceTest, KeyNormScores) {
  for (int i = 0; i < 10; ++i) {
    if (!TakesCase()) continue;
    const TestBatch batch = OneSequence(random().Between(1, 300));
    const std::vector<int64_t> offsets = RowOffsets(batch, batch.entries()[0], 1, kRows - 1);
    std::vector<float> expected(static_cast<size_t>(offsets.back()));
    std::vector<float> actual = expected;
    KeyNormScoreArgs args;
    args.rows = RowSet{&batch.entries()[0], 1, kRows - 1, offsets.data()};
    args.scores = expected.data();
    RunOperation(*MakeReference(batch), args);
    args.scores = actual.data();
    RunOperation(*Make(batch), args);
    for (int32_t r = 0; r < kRows - 1; ++r) {
      const Row row =
          MakeRow(batch.pool(), batch.entries()[0], 1 + r, batch.entries()[0].base_length);
      for (int64_t slot = 0; slot < row.slots; ++slot) {
        ASSERT_EQ(expected[offsets[r] + slot], actual[offsets[r] + slot]);
      }
    }
  }
}

// Quarters are exact in any sum, and what is not finite adds nothing.
TEST_P(SelectConformanceTest, SumsOfScores) {
  for (int i = 0; i < 20; ++i) {
    if (!TakesCase()) continue;
    const TestBatch batch = OneSequence(random().Between(0, 300));
    const std::vector<int64_t> offsets = RowOffsets(batch, batch.entries()[0], 1, kRows - 1);
    const std::vector<float> scores = ScriptedScores(offsets.back(), 5000);
    std::vector<uint32_t> masks(static_cast<size_t>(offsets.back() / 32));
    for (uint32_t& word : masks) word = static_cast<uint32_t>(random().Next());
    std::vector<double> expected(2 * (kRows - 1), 0.25);
    std::vector<double> actual = expected;
    SumScoresArgs args;
    args.rows = RowSet{&batch.entries()[0], 1, kRows - 1, offsets.data()};
    args.scores = scores.data();
    args.masks = masks.data();
    args.sums = expected.data();
    RunOperation(*MakeReference(batch), args);
    args.sums = actual.data();
    RunOperation(*Make(batch), args);
    EXPECT_EQ(expected, actual);
  }
}

SLUICE_CONFORMANCE_SUITE(SelectConformanceTest);

}  // namespace
}  // namespace sluice
