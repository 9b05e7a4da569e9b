// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernels/reference/reference_backend.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of eight slots at positions 0 to 7. A kept set is written as a string,
// one character a slot: x stays.
class ReferenceSelectTest : public testing::Test {
 protected:
  ReferenceSelectTest()
      : batch_(PageFormat{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0}, 3,
               1) {
    batch_.AddSequence(SequenceShape{0, 0, 0, 8, 1});
    args_.segments = &segment_;
    args_.segment_count = 1;
    segment_.row_count = 1;
  }

  std::vector<std::string> Select(const std::vector<std::vector<float>>& scores) {
    const auto rows = static_cast<int32_t>(scores.size());
    const std::vector<int64_t> offsets = RowOffsets(batch_, batch_.entries()[0], 0, rows);
    std::vector<float> dense(static_cast<size_t>(offsets.back()));
    for (int32_t r = 0; r < rows; ++r) {
      std::copy(scores[r].begin(), scores[r].end(), dense.begin() + offsets[r]);
    }
    std::vector<uint32_t> masks(dense.size() / 32, 0xffffffffu);
    counts_.assign(static_cast<size_t>(args_.segment_count * rows), -1);
    args_.rows = RowSet{&batch_.entries()[0], 0, rows, offsets.data()};
    args_.scores = scores[0].empty() ? nullptr : dense.data();
    args_.masks = masks.data();
    args_.counts = counts_.data();
    ReferenceBackend backend(batch_.pool(), nullptr);
    kernels_testing::RunOperation(backend, args_);
    std::vector<std::string> kept;
    for (const uint32_t mask : masks) {
      std::string row;
      for (int i = 0; i < 8; ++i) row += (mask >> i & 1u) != 0 ? 'x' : '.';
      kept.push_back(row);
      EXPECT_EQ(mask >> 8, 0u) << "bits beyond the slots";
    }
    return kept;
  }

  using Rows = std::vector<std::string>;

  TestBatch batch_;
  SelectSegment segment_;
  SelectArgs args_;
  std::vector<int32_t> counts_;
};

TEST_F(ReferenceSelectTest, KeepsTheHighestScores) {
  segment_.k = 3;
  EXPECT_EQ(Select({{1, 5, 2, 8, 3, 7, 0, 4}}), Rows{".x.x.x.."});
  EXPECT_EQ(counts_, std::vector<int32_t>{3});
}

TEST_F(ReferenceSelectTest, TiesGoToTheLowerPosition) {
  segment_.k = 3;
  EXPECT_EQ(Select({{1, 2, 2, 2, 2, 9, 2, 2}}), Rows{".xx..x.."});
}

TEST_F(ReferenceSelectTest, NanComesAfterMinusInfinity) {
  segment_.k = 7;
  EXPECT_EQ(Select({{1, kNan, 1, 1, -kInfinity, 1, 1, 1}}), Rows{"x.xxxxxx"});
}

TEST_F(ReferenceSelectTest, ProtectedSlotsComeFirstAndCount) {
  segment_.k = 4;
  segment_.protect_below_position = 1;
  segment_.protect_from_position = 6;
  EXPECT_EQ(Select({{0, 5, 9, 8, 3, 7, 0, 0}}), Rows{"x.x...xx"});
}

TEST_F(ReferenceSelectTest, AmongProtectedSlotsTheScoreDecides) {
  segment_.k = 2;
  segment_.protect_from_position = 5;
  EXPECT_EQ(Select({{9, 9, 9, 9, 9, 1, 3, 2}}), Rows{"......xx"});
}

TEST_F(ReferenceSelectTest, WithoutScoresTheLowestPositionsStay) {
  segment_.k = 4;
  segment_.protect_from_position = 6;
  EXPECT_EQ(Select({{}}), Rows{"xx....xx"});
}

TEST_F(ReferenceSelectTest, DroppedPositionsNeverStay) {
  segment_.k = 8;
  segment_.drop_below_position = 3;
  segment_.protect_below_position = 2;
  args_.at_least = 8;
  EXPECT_EQ(Select({{9, 9, 9, 1, 1, 1, 1, 1}}), Rows{"...xxxxx"});
}

TEST_F(ReferenceSelectTest, RowsOfASegmentCompeteAndTiesGoToTheFirst) {
  segment_.row_count = 2;
  segment_.k = 5;
  EXPECT_EQ(Select({{1, 1, 1, 1, 1, 1, 1, 4}, {5, 5, 1, 1, 1, 1, 1, 1}}),
            (Rows{"xx.....x", "xx......"}));
  EXPECT_EQ(counts_, (std::vector<int32_t>{3, 2}));
}

TEST_F(ReferenceSelectTest, ARowKeepsAtLeastAndAtMost) {
  segment_.row_count = 2;
  segment_.k = 6;
  args_.at_least = 2;
  args_.at_most = 3;
  EXPECT_EQ(Select({{9, 8, 7, 6, 5, 4, 3, 2}, {1, 0, 1, 0, 0, 0, 0, 0}}),
            (Rows{"xxx.....", "xxx....."}));
}

TEST_F(ReferenceSelectTest, AtLeastHoldsBeyondK) {
  segment_.row_count = 2;
  segment_.k = 1;
  args_.at_least = 1;
  EXPECT_EQ(Select({{9, 8, 7, 6, 5, 4, 3, 2}, {0, 0, 1, 0, 0, 0, 0, 0}}),
            (Rows{"x.......", "..x....."}));
}

TEST_F(ReferenceSelectTest, CombinedRowsShareTheMaskOfTheirMean) {
  segment_.row_count = 2;
  segment_.k = 1;
  args_.combine = RowCombine::kMean;
  EXPECT_EQ(Select({{9, 0, 6, 0, 0, 0, 0, 0}, {0, 0, 5, 8, 0, 0, 0, 0}}),
            (Rows{"..x.....", "..x....."}));
  EXPECT_EQ(counts_, (std::vector<int32_t>{1, 1}));
}

TEST_F(ReferenceSelectTest, CombinedRowsShareTheMaskOfTheirMaximum) {
  segment_.row_count = 2;
  segment_.k = 2;
  args_.combine = RowCombine::kMax;
  EXPECT_EQ(Select({{9, 0, 6, 0, 0, 0, 0, kNan}, {0, 0, 5, 8, 0, 0, 0, 1}}),
            (Rows{"x..x....", "x..x...."}));
}

TEST_F(ReferenceSelectTest, AMeanWithANanComesLast) {
  segment_.row_count = 2;
  segment_.k = 7;
  args_.combine = RowCombine::kMean;
  EXPECT_EQ(Select({{0, 0, 0, 0, 0, 0, 0, 99}, {0, 0, 0, 0, 0, 0, 0, kNan}}),
            (Rows{"xxxxxxx.", "xxxxxxx."}));
}

TEST_F(ReferenceSelectTest, CountsForNestedSegmentsAreOneCall) {
  const SelectSegment segments[] = {{0, 1, 2}, {0, 2, 3}};
  args_.segments = segments;
  args_.segment_count = 2;
  Select({{5, 6, 7, 0, 0, 0, 0, 0}, {9, 8, 0, 0, 0, 0, 0, 0}});
  EXPECT_EQ(counts_, (std::vector<int32_t>{2, 0, 1, 2}));
}

}  // namespace
}  // namespace sluice
