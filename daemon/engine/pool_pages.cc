// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pool_pages.h"

#include <algorithm>
#include <bit>

#include "daemon/base/checked_math.h"
#include "daemon/engine/core.h"

namespace sluice {
namespace {

constexpr int64_t kPageAlignment = 128;
constexpr int64_t kSizesPerPowerOfTwo = 4;

}  // namespace

PageClass PagesOf(Core& core, int64_t bytes) {
  const int64_t page_bytes = RoundUp(bytes, kPageAlignment);
  const int64_t pages = std::min(core.memory.pool.slab_bytes / page_bytes, kMaxPagesPerSlab);
  return {core.cache.AddSizeClass(pages, page_bytes, /*page_size=*/1), page_bytes};
}

int64_t RoundUpToFewSizes(int64_t bytes, int64_t most_bytes) {
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes)));
  const int64_t step = std::max(power / kSizesPerPowerOfTwo, kPageAlignment);
  return std::min(RoundUp(bytes, step), most_bytes);
}

std::byte* PageAt(const Core& core, BlockId block, size_t page) {
  return PageAt(core, core.cache.BlockPages(block)[page], core.cache.PageBytes(block));
}

std::byte* PageAt(const Core& core, PageId page, int64_t page_bytes) {
  return SlabOf(core.memory.pool, page.value) + PageIndex(page.value) * page_bytes;
}

}  // namespace sluice
