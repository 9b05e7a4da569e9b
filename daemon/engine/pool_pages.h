// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/cache/ids.h"

namespace sluice {

class Core;

// Pages of the pool that hold no keys and values: observation rows and scores.
//
// Functions of the engine thread.

// Pages of one size.
struct PageClass {
  SizeClassId size_class;
  int64_t page_bytes = 0;
};

// The pages that hold `bytes` bytes each, rounded up to whole cache lines.
// REQUIRES: 1 <= bytes <= the slab.
PageClass PagesOf(Core& core, int64_t bytes);

// The next of few sizes, four between a power of two and the next, at most `most_bytes`:
// pages of so many sizes as clients ask for would each keep a slab to themselves.
// REQUIRES: 1 <= bytes <= most_bytes; most_bytes is a power of two.
int64_t RoundUpToFewSizes(int64_t bytes, int64_t most_bytes);

// Where page `page` of a block lies; the second, where one that is no block's does.
std::byte* PageAt(const Core& core, BlockId block, size_t page);
std::byte* PageAt(const Core& core, PageId page, int64_t page_bytes);

}  // namespace sluice
