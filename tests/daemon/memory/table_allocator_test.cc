// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/table_allocator.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace sluice {
namespace {

TEST(TableAllocatorTest, RoundsSmallRequestsUpToPowersOfTwo) {
  TableAllocator tables(1 << 20);
  ASSERT_TRUE(tables.Allocate(1).has_value());
  EXPECT_EQ(tables.used_bytes(), 64);
  ASSERT_TRUE(tables.Allocate(65).has_value());
  EXPECT_EQ(tables.used_bytes(), 64 + 128);
  ASSERT_TRUE(tables.Allocate(4097).has_value());
  EXPECT_EQ(tables.used_bytes(), 64 + 128 + 8192);
}

TEST(TableAllocatorTest, TakesTheLowestFreePlace) {
  TableAllocator tables(1 << 20);
  EXPECT_EQ(tables.Allocate(1024), 0u);
  EXPECT_EQ(tables.Allocate(1024), 1024u);
  EXPECT_EQ(tables.Allocate(1024), 2048u);
  tables.Free(1024, 1024);
  EXPECT_EQ(tables.Allocate(1000), 1024u);
}

TEST(TableAllocatorTest, FreedNeighboursJoin) {
  TableAllocator tables(1 << 16);
  std::vector<uint64_t> offsets;
  while (const auto offset = tables.Allocate(64)) offsets.push_back(*offset);
  EXPECT_EQ(offsets.size(), 1024u);
  EXPECT_EQ(tables.free_bytes(), 0);
  for (const uint64_t offset : offsets) tables.Free(offset, 64);
  EXPECT_EQ(tables.Allocate(1 << 16), 0u);
}

TEST(TableAllocatorTest, ASizeThatIsNoPowerOfTwoIsUsedWhole) {
  TableAllocator tables(3 * 4096 + 200);
  EXPECT_EQ(tables.size_bytes(), 3 * 4096 + 192);
  EXPECT_TRUE(tables.Allocate(2 * 4096).has_value());
  EXPECT_TRUE(tables.Allocate(4096).has_value());
  EXPECT_TRUE(tables.Allocate(128).has_value());
  EXPECT_TRUE(tables.Allocate(64).has_value());
  EXPECT_FALSE(tables.Allocate(1).has_value());
}

TEST(TableAllocatorTest, ARequestBeyondTheSegmentFindsNothing) {
  TableAllocator tables(4096);
  EXPECT_FALSE(tables.Allocate(4097).has_value());
  EXPECT_FALSE(tables.Allocate(INT64_MAX).has_value());
  EXPECT_EQ(tables.used_bytes(), 0);
}

TEST(TableAllocatorDeathTest, ASecondFreeStopsTheProcess) {
  TableAllocator tables(1 << 16);
  const uint64_t offset = *tables.Allocate(256);
  tables.Free(offset, 256);
  EXPECT_DEATH(tables.Free(offset, 256), "free already");
  EXPECT_DEATH(tables.Free(32, 64), "offset 32");
}

TEST(TableAllocatorTest, RandomRangesNeverOverlapAndAllComeBack) {
  std::mt19937_64 random(20240607);
  TableAllocator tables(3 << 19);
  std::map<uint64_t, int64_t> live;
  for (int i = 0; i < 50000; ++i) {
    if (random() % 2 == 0 && !live.empty()) {
      auto it = live.lower_bound(random() % (3u << 19));
      if (it == live.end()) it = live.begin();
      tables.Free(it->first, it->second);
      live.erase(it);
      continue;
    }
    const auto bytes = static_cast<int64_t>(1 + (random() % 40000 >> random() % 12));
    const auto offset = tables.Allocate(bytes);
    if (!offset) continue;
    const auto next = live.lower_bound(*offset);
    ASSERT_TRUE(next == live.end() || *offset + static_cast<uint64_t>(bytes) <= next->first);
    if (next != live.begin()) {
      const auto before = std::prev(next);
      ASSERT_LE(before->first + static_cast<uint64_t>(before->second), *offset);
    }
    live[*offset] = bytes;
  }
  for (const auto& [offset, bytes] : live) tables.Free(offset, bytes);
  EXPECT_EQ(tables.used_bytes(), 0);
  EXPECT_EQ(tables.Allocate(1 << 20), 0u);
}

}  // namespace
}  // namespace sluice
