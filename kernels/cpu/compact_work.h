// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Compact: first where every destination page's slots begin in its row, then
// the pages themselves, all in parallel.
class CompactWork : public Work {
 public:
  // `pool` outlives the object.
  explicit CompactWork(const PoolView& pool) : pool_(pool) {}

  void Set(const CompactArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  int64_t NextPhase() override;

 private:
  // A destination page.
  struct Page {
    int32_t row = 0;         // of the RowSet
    int32_t slots = 0;       // kept ones that go here; 0: the page is not written
    int64_t first_slot = 0;  // of the source row
  };

  // A kept slot with its side arrays.
  struct Source;
  // The kept slots of a destination page.
  struct Sources;

  Row MakeSourceRow(int32_t r) const;
  const uint32_t* MaskOf(int32_t r) const;
  void FindPages(int32_t r);
  void WritePage(int64_t page, const Sources& sources, const Sources& next) const;
  void FindSources(int64_t page, Sources* sources) const;
  uint32_t WholePage(const Sources& sources) const;
  void CopySlots(const Sources& sources, const Sources& next, std::byte* page) const;
  void CopySides(const Sources& sources, uint32_t page) const;

  const PoolView& pool_;
  CompactArgs args_;
  const SpanFormat* format_ = nullptr;  // of the destination
  bool finding_ = true;
  bool stream_ = false;  // more bytes than the caches would keep
  int64_t rows_per_item_ = 1;
  int64_t pages_per_item_ = 1;
  std::vector<Page> pages_;  // by place in destination_pages
};

}  // namespace sluice::cpu
