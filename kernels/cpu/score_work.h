// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// KeyNormScore. An item is a range of slots of a row.
class KeyNormScoreWork : public Work {
 public:
  // `pool` outlives the object.
  explicit KeyNormScoreWork(const PoolView& pool) : pool_(pool) {}

  void Set(const KeyNormScoreArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  void ScoreSpan(const Span& span, float* scores) const;

  const PoolView& pool_;
  KeyNormScoreArgs args_;
  int64_t rows_per_item_ = 1;
};

// MoveScores. An item is a range of rows.
class MoveScoresWork : public Work {
 public:
  // `pool` outlives the object.
  explicit MoveScoresWork(const PoolView& pool) : pool_(pool) {}

  void Set(const MoveScoresArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  void MoveRow(int32_t r) const;
  void Normalise(const Span& span, int64_t page, int64_t slot, float* score) const;
  const float* PageScores(const Span& span, int64_t index) const;

  const PoolView& pool_;
  MoveScoresArgs args_;
  int64_t rows_per_item_ = 1;
};

// CopyScores. An item is a copy.
class CopyScoresWork : public Work {
 public:
  explicit CopyScoresWork(const PoolView&) {}

  void Set(const CopyScoresArgs& args) { args_ = args; }

  int64_t Plan() override { return args_.copy_count; }
  void Run(int64_t item, WorkerScratch& scratch) override;

 private:
  CopyScoresArgs args_;
};

}  // namespace sluice::cpu
