// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/select_work.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/rank.h"

namespace sluice::cpu {
namespace {

constexpr int64_t kLookRows = 32;        // of an item: three binary searches each
constexpr int64_t kCombineValues = 65536;  // scores that an item reads
constexpr int64_t kMarkSlots = 131072;   // of an item, a row counting kRowSlots on top
constexpr int64_t kRowSlots = 2048;

void MarkRange(const RowRange& range, uint32_t* mask) {
  for (int64_t word = range.begin / 32; word * 32 < range.end; ++word) {
    mask[word] |= RangeBits(range, word);
  }
}

// Marks the lowest slots of a range; returns how many of `count` are left.
int64_t MarkLowest(const RowRange& range, int64_t count, uint32_t* mask) {
  const int64_t marked = std::min(count, range.size());
  MarkRange({range.begin, range.begin + marked}, mask);
  return count - marked;
}

}  // namespace

int64_t SelectWork::Plan() {
  rows_.clear();
  rowset_rows_.clear();
  row_segments_.clear();
  segments_.clear();
  if (args_.counts != nullptr) {
    std::fill_n(args_.counts, int64_t{args_.segment_count} * args_.rows.row_count, 0);
  }
  for (int32_t s = 0; s < args_.segment_count; ++s) {
    const SelectSegment& segment = args_.segments[s];
    const int32_t ranked = combined() ? std::min(1, segment.row_count) : segment.row_count;
    segments_.push_back({static_cast<int64_t>(rows_.size()), ranked});
    for (int32_t r = 0; r < ranked; ++r) {
      rows_.emplace_back();
      rowset_rows_.push_back(segment.first_row + r);
      row_segments_.push_back(s);
    }
  }
  phase_ = Phase::kLook;
  return CeilDivide(static_cast<int64_t>(rows_.size()), kLookRows);
}

void SelectWork::Run(int64_t item, WorkerScratch& scratch) {
  switch (phase_) {
    case Phase::kLook: {
      const auto rows = static_cast<int64_t>(rows_.size());
      const int64_t end = std::min(rows, (item + 1) * kLookRows);
      for (int64_t row = item * kLookRows; row < end; ++row) Look(row);
      return;
    }
    case Phase::kCombine:
      return Combine(combine_tiles_[item]);
    case Phase::kCount:
      return contests_.Count(item, digit_);
    case Phase::kDecide:
      return contests_.Decide(item, digit_);
    case Phase::kMark:
      for (int64_t row = mark_starts_[item]; row < mark_starts_[item + 1]; ++row) {
        Mark(row, scratch);
      }
  }
}

int64_t SelectWork::NextPhase() {
  switch (phase_) {
    case Phase::kLook:
      return combined() && args_.scores != nullptr ? StartCombine() : StartContests();
    case Phase::kCombine:
      return StartContests();
    case Phase::kCount:
      phase_ = Phase::kDecide;
      return contests_.contests();
    case Phase::kDecide:
      if (++digit_ == kTileDigits) return (this->*after_contests_)();
      phase_ = Phase::kCount;
      return contests_.tiles();
    case Phase::kMark:
      break;
  }
  return 0;
}

void SelectWork::Look(int64_t ranked_row) {
  const int32_t r = RowOf(ranked_row);
  const ViewEntry& entry = *args_.rows.entry;
  const Row row = MakeRow(pool_, entry, args_.rows.first_row + r, entry.base_length);
  ContestRow& result = rows_[ranked_row];
  result.slots = MakeSelectRow(pool_, row, args_.segments[row_segments_[ranked_row]]);
  if (args_.scores != nullptr) result.scores = args_.scores + args_.rows.row_offsets[r];
}

int64_t SelectWork::StartCombine() {
  combine_tiles_.clear();
  int64_t total = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const int32_t segment = row_segments_[i];
    const int64_t tile_slots =
        std::max<int64_t>(1024, kCombineValues / args_.segments[segment].row_count);
    const int64_t slots = rows_[i].slots.high.end;
    for (int64_t slot = 0; slot < slots; slot += tile_slots) {
      combine_tiles_.push_back({segment, total, {slot, std::min(slots, slot + tile_slots)}});
    }
    total += RoundUp(slots, 32);
  }
  if (static_cast<int64_t>(combined_scores_.size()) < total) {
    combined_scores_.resize(static_cast<size_t>(total));
  }
  total = 0;
  for (ContestRow& row : rows_) {
    row.scores = combined_scores_.data() + total;
    total += RoundUp(row.slots.high.end, 32);
  }
  if (combine_tiles_.empty()) return StartContests();
  phase_ = Phase::kCombine;
  return static_cast<int64_t>(combine_tiles_.size());
}

void SelectWork::Combine(const CombineTile& tile) {
  const SelectSegment& segment = args_.segments[tile.segment];
  const int64_t* offsets = args_.rows.row_offsets + segment.first_row;
  float* result = combined_scores_.data() + tile.offset;
  for (int64_t slot = tile.range.begin; slot < tile.range.end; ++slot) {
    double sum = 0.0;
    float largest = std::numeric_limits<float>::quiet_NaN();
    for (int32_t r = 0; r < segment.row_count; ++r) {
      const float score = args_.scores[offsets[r] + slot];
      sum += score;
      largest = std::fmax(largest, score);
    }
    result[slot] = args_.combine == RowCombine::kMax
                       ? largest
                       : static_cast<float>(sum / segment.row_count);
  }
}

int64_t SelectWork::StartContests() {
  contests_.Clear();
  for (int32_t s = 0; s < args_.segment_count; ++s) {
    const SegmentRows& rows = segments_[s];
    const int64_t k = args_.segments[s].k;
    if (rows.count == 1) {
      ContestRow& row = rows_[rows.first];
      row.kept = BoundedCount(k, row.slots.slots(), args_.at_least, args_.at_most);
    } else if (rows.count > 1) {
      contests_.Add(&rows_[rows.first], rows.count, k, {args_.at_least, args_.at_most});
    }
  }
  return StartDigits(&SelectWork::StartLongRows);
}

int64_t SelectWork::StartDigits(int64_t (SelectWork::*next)()) {
  after_contests_ = next;
  if (contests_.empty()) return (this->*next)();
  contests_.Start();
  digit_ = 0;
  phase_ = Phase::kCount;
  return contests_.tiles();
}

// Whether the row's threshold is not to be found within its ranked slots, or
// not in one item.
bool SelectWork::NeedsContest(const ContestRow& row) const {
  const int64_t of_ranked = row.kept - row.slots.protected_slots();
  if (row.kept == 0 || of_ranked == 0 || of_ranked == row.slots.ranked.size()) return false;
  return of_ranked < 0 || row.slots.ranked.size() > kMaxRankedSlots;
}

int64_t SelectWork::StartLongRows() {
  if (args_.masks == nullptr) return 0;
  contests_.Clear();
  for (ContestRow& row : rows_) {
    if (NeedsContest(row)) contests_.Add(&row, 1, row.kept, {});
  }
  return StartDigits(&SelectWork::StartMarks);
}

int64_t SelectWork::StartMarks() {
  mark_starts_.assign(1, 0);
  int64_t slots = 0;
  for (size_t i = 0; i < rows_.size(); ++i) {
    slots += rows_[i].slots.high.end + kRowSlots;
    const bool last = i + 1 == rows_.size();
    if (!last && slots + rows_[i + 1].slots.high.end < kMarkSlots) continue;
    mark_starts_.push_back(static_cast<int64_t>(i) + 1);
    slots = 0;
  }
  phase_ = Phase::kMark;
  return static_cast<int64_t>(mark_starts_.size()) - 1;
}

void SelectWork::Mark(int64_t ranked_row, WorkerScratch& scratch) {
  const ContestRow& row = rows_[ranked_row];
  const int32_t r = RowOf(ranked_row);
  uint32_t* mask = MaskOf(r);
  const int64_t words = CeilDivide(row.slots.high.end, 32);
  std::fill_n(mask, words, 0u);
  if (row.kept == 0) {
    // An empty mask.
  } else if (row.kept < row.slots.protected_slots()) {
    Threshold threshold = row.threshold;
    for (const RowRange& range : {row.slots.low, row.slots.high}) {
      threshold.ties = row.scores == nullptr ? MarkLowest(range, threshold.ties, mask)
                                             : MarkAbove(row.scores, range, threshold, mask);
    }
  } else {
    MarkRange(row.slots.low, mask);
    MarkRange(row.slots.high, mask);
    MarkRanked(row, mask, scratch);
  }
  if (!combined()) return;
  for (int32_t i = 1; i < args_.segments[row_segments_[ranked_row]].row_count; ++i) {
    std::copy_n(mask, words, MaskOf(r + i));
  }
}

void SelectWork::MarkRanked(const ContestRow& row, uint32_t* mask, WorkerScratch& scratch) const {
  const RowRange& ranked = row.slots.ranked;
  const int64_t kept = row.kept - row.slots.protected_slots();
  if (kept == 0) return;
  if (kept == ranked.size() || row.scores == nullptr) {
    MarkLowest(ranked, kept, mask);
  } else if (NeedsContest(row)) {
    MarkAbove(row.scores, ranked, row.threshold, mask);
  } else {
    MarkAbove(row.scores, ranked, FindThreshold(row.scores, ranked, kept, scratch), mask);
  }
}

void SelectWork::Finish() {
  if (args_.counts == nullptr) return;
  for (size_t i = 0; i < rows_.size(); ++i) {
    const int32_t segment = row_segments_[i];
    int32_t* counts =
        args_.counts + int64_t{segment} * args_.rows.row_count + rowset_rows_[i];
    const int32_t rows = combined() ? args_.segments[segment].row_count : 1;
    std::fill_n(counts, rows, static_cast<int32_t>(rows_[i].kept));
  }
}

}  // namespace sluice::cpu
