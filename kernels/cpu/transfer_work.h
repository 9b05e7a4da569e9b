// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Import. An item is a range of pages.
class ImportWork : public Work {
 public:
  // `pool` outlives the object.
  explicit ImportWork(const PoolView& pool) : pool_(pool) {}

  void Set(const ImportArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  const PoolView& pool_;
  ImportArgs args_;
  int64_t pages_per_item_ = 1;
};

// Export. An item is a range of slots.
class ExportWork : public Work {
 public:
  // `pool` outlives the object.
  explicit ExportWork(const PoolView& pool) : pool_(pool) {}

  void Set(const ExportArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  void ExportSlot(const Span& span, int64_t span_slot, int64_t output_slot) const;

  const PoolView& pool_;
  ExportArgs args_;
  Row row_;
};

// CopyPages. An item is a range of pages.
class CopyPagesWork : public Work {
 public:
  // `pool` outlives the object.
  explicit CopyPagesWork(const PoolView& pool) : pool_(pool) {}

  void Set(const CopyPagesArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  const PoolView& pool_;
  CopyPagesArgs args_;
  int64_t pages_per_item_ = 1;
};

}  // namespace sluice::cpu
