// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Append. An item is a range of pages with all kv heads of the layer, whose
// rows lie side by side in the input.
class AppendWork : public Work {
 public:
  // `pool` outlives the object.
  explicit AppendWork(const PoolView& pool) : pool_(pool) {}

  void Set(const AppendArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  void Finish() override;

 private:
  // Slots of one page that consecutive tokens of an entry fill.
  struct PageRun {
    const ViewEntry* entry = nullptr;
    int64_t token = 0;      // of the call
    int64_t position = 0;   // of its first slot
    int64_t tail_slot = 0;  // of its first slot
    int32_t slots = 0;
  };

  void AddEntry(const ViewEntry& entry);
  void CutIntoItems();
  int64_t StoreRun(const PageRun& run, int32_t head, WorkerScratch& scratch) const;

  const PoolView& pool_;
  AppendArgs args_;
  std::vector<PageRun> runs_;
  std::vector<int64_t> item_starts_;  // in runs, and their end
  std::atomic<int64_t> non_finite_{0};
};

}  // namespace sluice::cpu
