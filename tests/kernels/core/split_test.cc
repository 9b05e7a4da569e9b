// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/split.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(SplitTest, ChunksGrowWithTheRow) {
  EXPECT_EQ(ChunkSlots(1), 256);
  EXPECT_EQ(ChunkSlots(16384), 256);
  EXPECT_EQ(ChunkSlots(16385), 320);
  EXPECT_EQ(ChunkSlots(1'000'000), 64 * 245);
}

TEST(SplitTest, NoRowHasMoreThanTheLargestNumberOfChunks) {
  for (int64_t slots = 1; slots < 3'000'000; slots = slots * 9 / 8 + 1) {
    const int64_t chunk = ChunkSlots(slots);
    EXPECT_LE((slots + 15 + chunk - 1) / chunk + 1, kMaxChunks) << slots;
  }
}

TEST(SplitTest, ChunksAreCountedFromTheFirstLiveGroup) {
  Span span;
  span.first_slot = 37;
  span.slots = 256 - 4;
  const SpanChunks chunks = ChunksOf(span, 256);
  EXPECT_EQ(chunks.first_group, 2);
  EXPECT_EQ(chunks.lead, 5);
  EXPECT_EQ(chunks.end, 257);
  EXPECT_EQ(chunks.count, 2);
}

TEST(SplitTest, ChunksDoNotDependOnThePageSize) {
  Span small;
  small.first_slot = 5;  // in pages of 16
  small.slots = 1000;
  Span large = small;
  large.first_slot = 53;  // the same slot in pages of 64
  EXPECT_EQ(ChunksOf(small, 256).lead, ChunksOf(large, 256).lead);
  EXPECT_EQ(ChunksOf(small, 256).count, ChunksOf(large, 256).count);
}

}  // namespace
}  // namespace sluice
