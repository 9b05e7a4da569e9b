// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/cache/ids.h"
#include "daemon/cache/slot_table.h"

namespace sluice {

// `page_size` consecutive tokens of a sequence over all its rows; or its observation
// rows over all layers, or the scores of its tail or its body, which are counted alike.
//
// A block counts the sequences that list it (and a job that still reads it); it
// holds one reference to each of its pages while it lives.
struct Block {
  std::vector<PageId> pages;  // [row_count]; [layers]; [blocks of the tail]; [1]
  int32_t references = 0;     // 0: not alive
  SizeClassId size_class;
  TenantId tenant;
  // A body took pages of this block over when it had other holders too, or it shares
  // pages of scores: it may only be written while each of its pages counts one.
  bool may_share_pages = false;
};

using BlockTable = SlotTable<BlockId, Block>;

}  // namespace sluice
