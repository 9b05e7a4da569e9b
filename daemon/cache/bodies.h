// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/cache/ids.h"
#include "daemon/cache/slot_table.h"

namespace sluice {

// One row of a bodies object: `slots` kept slots in `pages[first_page ..]`, every
// page full but the last.
struct RowExtent {
  int64_t first_page = 0;
  int64_t slots = 0;

  friend bool operator==(const RowExtent&, const RowExtent&) = default;
};

// What past jobs kept of a sequence, for all its rows. Immutable while it lives;
// counts the sequences that have it and holds one reference to each of its pages.
struct Bodies {
  std::vector<RowExtent> rows;  // [row_count]
  std::vector<PageId> pages;    // row by row
  int32_t references = 0;       // 0: not alive
  SizeClassId size_class;
  TenantId tenant;
};

using BodiesTable = SlotTable<BodiesId, Bodies>;

}  // namespace sluice
