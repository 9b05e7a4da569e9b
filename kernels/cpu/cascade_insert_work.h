// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/ring.h"
#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// CascadeInsert. An item is one row of an entry: what its slots hold depends on the
// order in which they are written.
class CascadeInsertWork : public Work {
 public:
  // `pool` outlives the object.
  explicit CascadeInsertWork(const PoolView& pool) : pool_(pool) {}

  void Set(const CascadeInsertArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  // An entry whose pending chunk is inserted.
  struct Chunk {
    const ViewEntry* entry = nullptr;
    const CascadeGeometry* geometry = nullptr;
    CascadeChanges changes;
    int64_t first_source = 0;  // of its first row, in sources_
  };
  struct RowView;

  void AddPendingSums(const Chunk& chunk, const RowView& row) const;
  void ClearReachedPages(const Chunk& chunk, const RowView& row) const;
  void MoveRun(const RowView& row, const int32_t* sources, int32_t first_slot,
               int32_t first, int32_t slots, int32_t ring_slots) const;

  const PoolView& pool_;
  CascadeInsertArgs args_;
  int32_t sum_count_ = 1;
  std::vector<Chunk> chunks_;
  std::vector<int32_t> sources_;  // [chunks, kv heads, changes]
};

}  // namespace sluice::cpu
