// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/tables.h"

#include <cstring>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace sluice {
namespace {

class TablesTest : public ::testing::Test {
 protected:
  static constexpr int64_t kBytes = 16 << 10;

  void SetBlock(uint32_t id, std::vector<PageId> pages) {
    auto ranges = tables_.AllocateBlocks(1, static_cast<int64_t>(pages.size()));
    ASSERT_TRUE(ranges.has_value());
    tables_.SetBlock(BlockId{id}, ranges->front(), pages);
  }
  // The page of `row` in block `index` of a list, as kernels find it in a copy of what was
  // told.
  uint32_t PageOf(const Tables::BlockList& list, int64_t index, int64_t row) {
    const auto* words = reinterpret_cast<const uint32_t*>(Copied());
    return words[words[list.range.offset / 4 + static_cast<uint64_t>(index)] + row];
  }

  // Before each operation.
  const std::byte* Copied() {
    for (const auto& [begin, bytes] : told_) {
      const int64_t offset = static_cast<const std::byte*>(begin) - bytes_;
      std::memcpy(copy_ + offset, begin, static_cast<size_t>(bytes));
    }
    told_.clear();
    return copy_;
  }

  alignas(128) std::byte bytes_[kBytes] = {};
  alignas(128) std::byte copy_[kBytes] = {};
  std::vector<std::pair<const void*, int64_t>> told_;
  Tables tables_{bytes_, kBytes, [this](const void* begin, int64_t bytes) {
                   told_.emplace_back(begin, bytes);
                 }};
};

TEST_F(TablesTest, AListLeadsToThePagesOfItsBlocks) {
  SetBlock(3, {{30}, {31}});
  SetBlock(0, {{7}, {8}});
  Tables::BlockList list;
  ASSERT_TRUE(tables_.Reserve(list, 2));
  tables_.Assign(list, std::vector<BlockId>{{3}, {0}});
  EXPECT_EQ(PageOf(list, 0, 1), 31u);
  EXPECT_EQ(PageOf(list, 1, 0), 7u);
}

TEST_F(TablesTest, AListKeepsItsContentWhenItGrows) {
  Tables::BlockList list;
  std::vector<BlockId> blocks;
  for (uint32_t id = 0; id < 40; ++id) {
    SetBlock(id, {{100 + id}});
    blocks.push_back({id});
    ASSERT_TRUE(tables_.Reserve(list, id + 1));
    tables_.AssignFrom(list, blocks, id);
  }
  for (uint32_t id = 0; id < 40; ++id) EXPECT_EQ(PageOf(list, id, 0), 100 + id);
}

TEST_F(TablesTest, OnlyTheWordsThatChangeAreTold) {
  SetBlock(0, {{1}});
  SetBlock(1, {{2}});
  Tables::BlockList list;
  ASSERT_TRUE(tables_.Reserve(list, 2));
  tables_.Assign(list, std::vector<BlockId>{{0}});
  told_.clear();
  tables_.AssignFrom(list, std::vector<BlockId>{{0}, {1}}, 1);
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].first, bytes_ + list.range.offset + 4);
  EXPECT_EQ(told_[0].second, 4);
}

TEST_F(TablesTest, AnEmptyListCanBeAssignedAndDropped) {
  Tables::BlockList list;
  ASSERT_TRUE(tables_.Reserve(list, 0));
  tables_.Assign(list, {});
  tables_.Drop(list);
  EXPECT_EQ(tables_.used_bytes(), 0);
}

TEST_F(TablesTest, EverythingComesBack) {
  SetBlock(0, {{1}, {2}});
  Tables::BlockList list;
  ASSERT_TRUE(tables_.Reserve(list, 100));
  tables_.Drop(list);
  tables_.DropBlock({1}, {2, 0});  // of observation rows: it was never set
  tables_.DropBlock({0}, {2, 0});
  tables_.Passed({2, 0});
  EXPECT_EQ(tables_.used_bytes(), 0);
}

TEST_F(TablesTest, ADroppedBlockStaysReadableUntilTheLanesHavePassed) {
  SetBlock(0, {{1}});
  const int64_t used = tables_.used_bytes();
  tables_.DropBlock({0}, {5, 3});
  tables_.Passed({4, 9});
  tables_.Passed({9, 2});
  EXPECT_EQ(tables_.used_bytes(), used);
  SetBlock(0, {{2}});  // the id is free at once
  tables_.Passed({5, 3});
  EXPECT_EQ(tables_.used_bytes(), used);
}

TEST_F(TablesTest, ARangeCanBeFreedOnceTheLanesHavePassed) {
  const std::optional<TableRange> range = tables_.Allocate(100);
  ASSERT_TRUE(range.has_value());
  const int64_t used = tables_.used_bytes();
  tables_.FreeWhenPassed(*range, {5, 3});
  tables_.FreeWhenPassed({}, {5, 3});  // was never allocated
  tables_.Passed({4, 9});
  EXPECT_EQ(tables_.used_bytes(), used);
  tables_.Passed({5, 3});
  EXPECT_EQ(tables_.used_bytes(), 0);
}

TEST_F(TablesTest, AFullSegmentRefusesAsAWhole) {
  Tables::BlockList list;
  ASSERT_TRUE(tables_.Reserve(list, 16));
  const int64_t used = tables_.used_bytes();
  EXPECT_FALSE(tables_.AllocateBlocks(1000, 16).has_value());
  EXPECT_FALSE(tables_.Reserve(list, kBytes));
  EXPECT_FALSE(tables_.Allocate(kBytes * 2).has_value());
  EXPECT_EQ(tables_.used_bytes(), used);
}

TEST_F(TablesTest, BodiesAreWrittenAsKernelsReadThem) {
  Bodies bodies;
  bodies.rows = {{0, 20}, {2, 5}};
  bodies.pages = {{11}, {12}, {13}};
  const auto range = tables_.Allocate(Tables::BodiesBytes(2, 3));
  ASSERT_TRUE(range.has_value());
  tables_.SetBodies({4}, *range, bodies);
  const auto* record =
      reinterpret_cast<const BodiesRecord*>(Copied() + tables_.BodiesOffset({4}));
  EXPECT_EQ(record->row_count, 2);
  const auto* rows = reinterpret_cast<const BodyRow*>(record + 1);
  EXPECT_EQ(rows[1].first_page, 2u);
  EXPECT_EQ(rows[1].slots, 5);
  EXPECT_EQ(reinterpret_cast<const uint32_t*>(rows + 2)[2], 13u);
}

}  // namespace
}  // namespace sluice
