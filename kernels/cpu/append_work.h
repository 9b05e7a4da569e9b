// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Append. An item is a range of slot groups with all kv heads of the layer,
// whose rows lie side by side in the input.
class AppendWork : public Work {
 public:
  // `pool` outlives the object.
  explicit AppendWork(const PoolView& pool) : pool_(pool) {}

  void Set(const AppendArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  void Finish() override;

 private:
  // Slots of one group of 16 that consecutive tokens of an entry fill.
  struct GroupRun {
    const ViewEntry* entry = nullptr;
    int64_t token = 0;       // of the call
    int64_t position = 0;    // of its first slot
    int64_t block = 0;       // of the tail
    int32_t first_slot = 0;  // of the block's pages
    int32_t slots = 0;
    int64_t page_slots = 0;  // that the call writes from its first slot on to the page's end
  };

  void AddEntry(const ViewEntry& entry);
  void CutIntoItems();
  uint32_t PageOf(const GroupRun& run, int32_t head) const;
  bool TurnsBack(const GroupRun& run) const;
  // `next_is_ours`: this item goes on with the run behind this one.
  int64_t StoreRun(const GroupRun& run, int32_t head, bool next_is_ours,
                   WorkerScratch& scratch) const;
  void PrefetchDestination(const GroupRun& run, int32_t head) const;

  const PoolView& pool_;
  AppendArgs args_;
  bool stream_ = false;  // more bytes than the caches would keep
  std::vector<GroupRun> runs_;
  std::vector<int64_t> item_starts_;  // in runs, and their end
  std::atomic<int64_t> non_finite_{0};
};

}  // namespace sluice::cpu
