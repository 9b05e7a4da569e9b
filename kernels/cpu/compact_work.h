// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

struct SlotPlace;

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

  Row MakeSourceRow(int32_t r) const;
  const uint32_t* MaskOf(int32_t r) const;
  void FindPages(int32_t r);
  void WritePage(int64_t page) const;
  Source FindSource(const Row& row, int64_t slot) const;
  uint32_t WholePage(const Source* sources, int32_t count) const;
  void CopySlots(const Source* sources, int32_t count, std::byte* page) const;
  void CopySides(const Source* sources, int32_t count, uint32_t page) const;

  const PoolView& pool_;
  CompactArgs args_;
  const SpanFormat* format_ = nullptr;  // of the destination
  bool finding_ = true;
  int64_t rows_per_item_ = 1;
  int64_t pages_per_item_ = 1;
  std::vector<Page> pages_;  // by place in destination_pages
};

}  // namespace sluice::cpu
