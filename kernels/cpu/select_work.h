// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/contest.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Select: first how many slots each row keeps, then which.
//
// Rows that compete with others, and those too long for one item, go through
// contests; all others are ranked in one item.
class SelectWork : public Work {
 public:
  // `pool` outlives the object.
  explicit SelectWork(const PoolView& pool) : pool_(pool) {}

  void Set(const SelectArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  int64_t NextPhase() override;
  void Finish() override;

 private:
  // Look: where the rows' ranges lie. Combine: one score for the rows of a
  // segment. Count and Decide: a digit of the contests. Mark: the masks.
  enum class Phase : uint8_t { kLook, kCombine, kCount, kDecide, kMark };

  // The first row of a segment in rows_, and those ranked on their own.
  struct SegmentRows {
    int64_t first = 0;
    int64_t count = 0;
  };

  struct CombineTile {
    int32_t segment = 0;
    int64_t offset = 0;  // of the row's first slot in combined_scores_
    RowRange range;
  };

  bool combined() const { return args_.combine != RowCombine::kNone; }
  int32_t RowOf(int64_t ranked_row) const { return rowset_rows_[ranked_row]; }
  uint32_t* MaskOf(int32_t row) const { return args_.masks + args_.rows.row_offsets[row] / 32; }

  void Look(int64_t ranked_row);
  int64_t StartCombine();
  void Combine(const CombineTile& tile);
  int64_t StartContests();
  int64_t StartLongRows();
  int64_t StartMarks();
  int64_t StartDigits(int64_t (SelectWork::*next)());
  bool NeedsContest(const ContestRow& row) const;
  void Mark(int64_t ranked_row, WorkerScratch& scratch);
  void MarkRanked(const ContestRow& row, uint32_t* mask, WorkerScratch& scratch) const;

  const PoolView& pool_;
  SelectArgs args_;
  Phase phase_ = Phase::kLook;
  int32_t digit_ = 0;
  int64_t (SelectWork::*after_contests_)() = nullptr;

  std::vector<ContestRow> rows_;  // segment by segment; one a segment where rows are combined
  std::vector<int32_t> rowset_rows_;
  std::vector<int32_t> row_segments_;
  std::vector<SegmentRows> segments_;
  std::vector<CombineTile> combine_tiles_;
  std::vector<float> combined_scores_;  // rows_ one after the other, in multiples of 32
  Contests contests_;
  std::vector<int64_t> mark_starts_;  // in rows_, and their end
};

}  // namespace sluice::cpu
