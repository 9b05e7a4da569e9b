// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/table_allocator.h"

#include <algorithm>
#include <bit>

#include "daemon/base/check.h"
#include "daemon/base/checked_math.h"

namespace sluice {
namespace {

constexpr int64_t kLargeBytes = 4096;

// The smallest order whose range holds `units`.
int OrderFor(int64_t units) {
  return static_cast<int>(std::bit_width(static_cast<uint64_t>(units - 1)));
}

// The largest aligned range that starts at unit `first` within `count` units.
int LargestOrder(int64_t first, int64_t count) {
  const int by_count = static_cast<int>(std::bit_width(static_cast<uint64_t>(count))) - 1;
  return first == 0 ? by_count : std::min(by_count, std::countr_zero(static_cast<uint64_t>(first)));
}

}  // namespace

TableAllocator::TableAllocator(int64_t size_bytes)
    : size_bytes_(size_bytes / kUnitBytes * kUnitBytes) {
  SLUICE_CHECK(size_bytes_ >= kUnitBytes) << "size_bytes " << size_bytes;
  const int64_t units = size_bytes_ / kUnitBytes;
  for (int64_t range = 1; range <= units; range *= 2) free_.emplace_back(units / range);
  FreeUnits(0, units);
}

std::optional<uint64_t> TableAllocator::Allocate(int64_t bytes) {
  SLUICE_CHECK(bytes >= 1) << "bytes " << bytes;
  if (bytes > size_bytes_) return std::nullopt;
  const int64_t units = RoundedBytes(bytes) / kUnitBytes;
  for (auto order = static_cast<size_t>(OrderFor(units)); order < free_.size(); ++order) {
    const std::optional<int64_t> range = free_[order].Smallest();
    if (!range) continue;
    free_[order].Erase(*range);
    const int64_t first = *range << order;
    FreeUnits(first + units, (int64_t{1} << order) - units);
    used_bytes_ += units * kUnitBytes;
    return static_cast<uint64_t>(first * kUnitBytes);
  }
  return std::nullopt;
}

void TableAllocator::Free(uint64_t offset, int64_t bytes) {
  SLUICE_CHECK(bytes >= 1 && bytes <= size_bytes_) << "bytes " << bytes;
  const int64_t rounded = RoundedBytes(bytes);
  const auto start = static_cast<int64_t>(offset);
  SLUICE_CHECK(start >= 0 && start % kUnitBytes == 0 && start <= size_bytes_ - rounded)
      << "offset " << offset << ", bytes " << bytes;
  FreeUnits(start / kUnitBytes, rounded / kUnitBytes);
  used_bytes_ -= rounded;
}

int64_t TableAllocator::RoundedBytes(int64_t bytes) {
  if (bytes > kLargeBytes) return CeilDivide(bytes, kLargeBytes) * kLargeBytes;
  const auto rounded = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes)));
  return std::max(rounded, kUnitBytes);
}

void TableAllocator::FreeUnits(int64_t first, int64_t count) {
  while (count > 0) {
    const int order = LargestOrder(first, count);
    FreeRange(first, order);
    first += int64_t{1} << order;
    count -= int64_t{1} << order;
  }
}

// Joins the range with its neighbour of the same size as long as that is free.
void TableAllocator::FreeRange(int64_t first, int order) {
  int64_t range = first >> order;
  CheckNotFree(range, order);
  auto level = static_cast<size_t>(order);
  while (level + 1 < free_.size() && free_[level].Contains(range ^ 1)) {
    free_[level].Erase(range ^ 1);
    range /= 2;
    ++level;
  }
  free_[level].Insert(range);
}

// A range that is free already, alone or within a larger one, was freed twice.
void TableAllocator::CheckNotFree(int64_t range, int order) const {
  for (auto level = static_cast<size_t>(order); level < free_.size(); ++level, range /= 2) {
    SLUICE_CHECK(!free_[level].Contains(range))
        << "offset " << (range << level) * kUnitBytes << " is free already";
  }
}

}  // namespace sluice
