// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/tables.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "daemon/base/check.h"

namespace sluice {
namespace {

constexpr int64_t kWordBytes = 4;
constexpr int64_t kFirstListBlocks = 16;

void Put(std::vector<TableRange>& ranges, uint32_t id, TableRange range) {
  if (id >= ranges.size()) ranges.resize(id + 1);
  SLUICE_CHECK(ranges[id].offset == kNoOffset) << "id " << id << " is in use";
  ranges[id] = range;
}

}  // namespace

Tables::Tables(std::byte* base, int64_t size_bytes, Told told)
    : base_(base), told_(std::move(told)), allocator_(size_bytes) {}

std::optional<TableRange> Tables::Allocate(int64_t bytes) {
  const std::optional<uint64_t> offset = allocator_.Allocate(std::max<int64_t>(bytes, 1));
  if (!offset.has_value()) return std::nullopt;
  return TableRange{*offset, std::max<int64_t>(bytes, 1)};
}

void Tables::Free(TableRange range) {
  if (range.offset != kNoOffset) allocator_.Free(range.offset, range.bytes);
}

void Tables::FreeWhenPassed(TableRange range, const LaneTickets& newest) {
  if (range.offset != kNoOffset) retired_.Push(range, newest);
}

std::optional<std::vector<TableRange>> Tables::AllocateBlocks(int64_t count, int64_t row_count) {
  std::vector<TableRange> ranges;
  ranges.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const std::optional<TableRange> range = Allocate(row_count * kWordBytes);
    if (!range.has_value()) {
      for (const TableRange& taken : ranges) Free(taken);
      return std::nullopt;
    }
    ranges.push_back(*range);
  }
  return ranges;
}

void Tables::SetBlock(BlockId block, TableRange range, std::span<const PageId> pages) {
  Put(blocks_, block.value, range);
  static_assert(sizeof(PageId) == kWordBytes);
  std::copy(pages.begin(), pages.end(),
            Write<PageId>(range, 0, static_cast<int64_t>(pages.size())));
}

void Tables::DropBlock(BlockId block, const LaneTickets& newest) {
  if (block.value >= blocks_.size() || blocks_[block.value].bytes == 0) return;
  retired_.Push(blocks_[block.value], newest);
  blocks_[block.value] = {};
}

bool Tables::Reserve(BlockList& list, int64_t block_count) {
  if (block_count * kWordBytes <= list.range.bytes) return true;
  const int64_t capacity =
      std::max({block_count, 2 * list.range.bytes / kWordBytes, kFirstListBlocks});
  const std::optional<TableRange> range = Allocate(capacity * kWordBytes);
  if (!range.has_value()) return false;
  if (list.count > 0) {
    std::memcpy(Write<uint32_t>(*range, 0, list.count), At(list.range),
                static_cast<size_t>(list.count * kWordBytes));
  }
  Free(list.range);
  list.range = *range;
  return true;
}

void Tables::Assign(BlockList& list, std::span<const BlockId> blocks) {
  AssignFrom(list, blocks, 0);
}

void Tables::AssignFrom(BlockList& list, std::span<const BlockId> blocks, int64_t first) {
  const auto count = static_cast<int64_t>(blocks.size());
  SLUICE_CHECK(count * kWordBytes <= list.range.bytes) << "a list of " << count << " blocks";
  if (count == 0) {
    list.count = 0;
    return;  // it may have no range
  }
  auto* const words = Write<uint32_t>(list.range, first, count);
  for (int64_t i = first; i < count; ++i) words[i] = WordOf(blocks[static_cast<size_t>(i)]);
  list.count = count;
}

uint32_t Tables::WordOf(BlockId block) const {
  const TableRange& range = blocks_[block.value];
  SLUICE_CHECK(range.offset != kNoOffset) << "block " << block.value;
  return static_cast<uint32_t>(range.offset / kWordBytes);
}

void Tables::Drop(BlockList& list) {
  Free(list.range);
  list = {};
}

int64_t Tables::BodiesBytes(int64_t row_count, int64_t page_count) {
  return static_cast<int64_t>(sizeof(BodiesRecord)) +
         row_count * static_cast<int64_t>(sizeof(BodyRow)) + page_count * kWordBytes;
}

void Tables::SetBodies(BodiesId id, TableRange range, const Bodies& bodies) {
  const auto row_count = static_cast<int64_t>(bodies.rows.size());
  const auto page_count = static_cast<int64_t>(bodies.pages.size());
  SLUICE_CHECK(BodiesBytes(row_count, page_count) <= range.bytes) << "bodies " << id.value;
  Put(bodies_, id.value, range);
  most_body_slots_.resize(bodies_.size());
  int64_t& most_slots = most_body_slots_[id.value];
  most_slots = 0;
  auto* const record = reinterpret_cast<BodiesRecord*>(
      Write<std::byte>(range, 0, BodiesBytes(row_count, page_count)));
  *record = {static_cast<int32_t>(row_count), static_cast<uint32_t>(page_count)};
  auto* rows = reinterpret_cast<BodyRow*>(record + 1);
  for (int64_t row = 0; row < row_count; ++row) {
    const RowExtent& extent = bodies.rows[static_cast<size_t>(row)];
    most_slots = std::max(most_slots, extent.slots);
    rows[row] = {static_cast<uint32_t>(extent.first_page), static_cast<int32_t>(extent.slots)};
  }
  if (page_count > 0) {
    auto* page_ids = reinterpret_cast<uint32_t*>(rows + row_count);
    std::memcpy(page_ids, bodies.pages.data(), bodies.pages.size() * sizeof(PageId));
  }
}

void Tables::DropBodies(BodiesId id, const LaneTickets& newest) {
  SLUICE_CHECK(id.value < bodies_.size()) << "bodies " << id.value;
  retired_.Push(bodies_[id.value], newest);
  bodies_[id.value] = {};
}

void Tables::Passed(const LaneTickets& completed) {
  while (const std::optional<TableRange> range = retired_.Pop(completed)) Free(*range);
}

}  // namespace sluice
