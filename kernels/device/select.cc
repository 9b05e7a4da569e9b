// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/select.h"

#include <algorithm>
#include <vector>

#include "kernels/device/job_rows_of.h"
#include "kernels/device/parts.h"
#include "kernels/device/select_kernels.h"
#include "kernels/device/select_mark_kernel.h"

namespace sluice::device {
namespace {

// Ways to cut keys into digits, the fastest first: the widest digits need the most scratch.
constexpr int32_t kWidths[] = {11, 8, 4};

// What the arrays of scratch may lose to their alignment.
constexpr int64_t kScratchSlack = 1024;

// The digits of keys, the most significant first.
std::vector<SelectDigit> DigitsOf(int32_t width) {
  std::vector<SelectDigit> digits;
  for (int32_t rest = 32; rest > 0; rest = digits.back().shift) {
    const int32_t bits = std::min(width, rest);
    digits.push_back({rest - bits, bits});
  }
  return digits;
}

// Makes the launches of one Select, or of a part of it, a few segments after the other.
class SelectLowerer {
 public:
  // `slots`: of scores and masks that there are.
  SelectLowerer(const SelectArgs& args, int64_t slots, Launcher& launcher)
      : args_(args),
        slots_(slots),
        launcher_(launcher),
        job_rows_(JobRowsOf(launcher.host_pool(), args.rows)),
        scratch_bytes_(launcher.scratch_left_bytes() - kScratchSlack) {}

  void Lower() {
    ChooseWidth();
    PassArguments();
    for (int32_t first = 0; first < args_.segment_count;) first = LaunchPart(first);
  }

 private:
  int32_t RankedRowsOf(int32_t segment) const {
    const int32_t rows = args_.segments[segment].row_count;
    return args_.combine == RowCombine::kNone ? rows : std::min(rows, 1);
  }

  int64_t RowBytes(int32_t width) const {
    const int64_t bins = width == 0 ? 0 : int64_t{1} << width;
    return static_cast<int64_t>(sizeof(RankedRow) + sizeof(uint32_t) * bins);
  }

  int64_t SegmentBytes(int32_t segment) const {
    return static_cast<int64_t>(sizeof(ContestState)) + RankedRowsOf(segment) * RowBytes(width_);
  }

  // 0: no rows compete with each other.
  void ChooseWidth() {
    int32_t most_rows = 0;
    for (int32_t s = 0; s < args_.segment_count; ++s) {
      most_rows = std::max(most_rows, RankedRowsOf(s));
    }
    if (most_rows < 2 || args_.scores == nullptr) return;
    const int64_t left = scratch_bytes_ - static_cast<int64_t>(sizeof(ContestState));
    for (const int32_t width : kWidths) {
      width_ = width;
      if (most_rows * RowBytes(width) <= left) return;
    }
  }

  void PassArguments() {
    const int32_t rows = args_.rows.row_count;
    work_.pool = launcher_.pool();
    work_.args = args_;
    work_.args.rows = launcher_.Rows(args_.rows);
    work_.args.scores = launcher_.In(args_.scores, slots_);
    work_.args.segments = launcher_.In(args_.segments, args_.segment_count);
    work_.args.masks = launcher_.InOut(args_.masks, slots_ / 32);
    work_.args.counts = launcher_.Out(args_.counts, int64_t{args_.segment_count} * rows);
    work_.job_rows = JobRowsIn(job_rows_, launcher_);
    work_.bins = width_ == 0 ? 0 : 1 << width_;
  }

  // Launches segments from `first` on, as many as the scratch holds; returns the next one.
  int32_t LaunchPart(int32_t first) {
    std::vector<int64_t> first_ranked = {0};
    std::vector<RankedPlace> places;
    int64_t longest = 0;
    int32_t end = first;
    for (int64_t bytes = 0; end < args_.segment_count; ++end) {
      bytes += SegmentBytes(end);
      if (end > first && bytes > scratch_bytes_) break;
      for (int32_t r = 0; r < RankedRowsOf(end); ++r) {
        places.push_back({end, args_.segments[end].first_row + r});
        longest = std::max(longest, job_rows_[places.back().row].slots);
      }
      first_ranked.push_back(static_cast<int64_t>(places.size()));
    }
    work_.first_segment = first;
    work_.segment_count = end - first;
    work_.ranked_rows = static_cast<int64_t>(places.size());
    work_.first_ranked = launcher_.In(first_ranked.data(), work_.segment_count + 1);
    work_.places = launcher_.In(places.data(), work_.ranked_rows);
    launcher_.ResetScratch();
    work_.ranked = launcher_.Scratch<RankedRow>(work_.ranked_rows);
    work_.states = launcher_.Scratch<ContestState>(work_.segment_count);
    work_.histograms = launcher_.Scratch<uint32_t>(work_.ranked_rows * work_.bins);
    Launch(longest);
    return end;
  }

  void Launch(int64_t longest) {
    const int64_t segments = work_.segment_count;
    launcher_.Launch(SelectLookKernel{work_},
                     {RoundUp(work_.ranked_rows, SelectLookKernel::kRows) / SelectLookKernel::kRows,
                      SelectLookKernel::kThreads, 0});
    launcher_.Launch(SelectStartKernel{work_}, {segments, SelectStartKernel::kThreads,
                                                SelectStartKernel::kSharedBytes});
    if (width_ > 0) LaunchContests(longest);
    if (args_.counts != nullptr) {
      launcher_.Launch(SelectCountsKernel{work_}, {segments, SelectCountsKernel::kThreads, 0});
    }
    if (args_.masks != nullptr) {
      launcher_.Launch(SelectMarkKernel{work_}, {work_.ranked_rows, SelectMarkKernel::kThreads,
                                                 SelectMarkKernel::SharedBytes()});
    }
  }

  void LaunchContests(int64_t longest) {
    constexpr int64_t kTileSlots = SelectCountKernel::kTileSlots;
    const int64_t tiles_per_row = std::max<int64_t>(1, RoundUp(longest, kTileSlots) / kTileSlots);
    for (const SelectDigit& digit : DigitsOf(width_)) {
      launcher_.Launch(SelectCountKernel{work_, digit, tiles_per_row},
                       {work_.ranked_rows * tiles_per_row, SelectCountKernel::kThreads,
                        digit.bins() * static_cast<int32_t>(sizeof(uint32_t))});
      launcher_.Launch(SelectDecideKernel{work_, digit},
                       {work_.segment_count, SelectDecideKernel::kThreads,
                        SelectDecideKernel::kSharedBytes});
    }
  }

  const SelectArgs& args_;
  const int64_t slots_;
  Launcher& launcher_;
  const std::vector<JobRow> job_rows_;
  const int64_t scratch_bytes_;
  int32_t width_ = 0;  // of digits, in bits
  SelectWork work_;
};

// Slots of rows [first, end) of the set in dense arrays.
int64_t SlotsOf(const RowSet& rows, int32_t first, int32_t end) {
  return rows.row_offsets[end] - rows.row_offsets[first];
}

// Segments [first, first + count) with the scores and masks of their rows alone.
void LowerSegments(const SelectArgs& args, int64_t first, int64_t count, Launcher& launcher) {
  SelectArgs part = args;
  part.segments += first;
  part.segment_count = static_cast<int32_t>(count);
  part.counts = From(args.counts, first * args.rows.row_count);
  int32_t first_row = args.rows.row_count;
  int32_t end_row = 0;
  for (int64_t s = 0; s < count; ++s) {
    first_row = std::min(first_row, part.segments[s].first_row);
    end_row = std::max(end_row, part.segments[s].first_row + part.segments[s].row_count);
  }
  const int64_t first_slot = args.rows.row_offsets[first_row];
  std::vector<int64_t> offsets(args.rows.row_offsets,
                               args.rows.row_offsets + args.rows.row_count + 1);
  for (int64_t& offset : offsets) offset -= first_slot;
  part.rows.row_offsets = offsets.data();
  part.scores = From(args.scores, first_slot);
  part.masks = From(args.masks, first_slot / 32);
  launcher.ResetScratch();  // the lane is done with it before this part writes there
  SelectLowerer(part, SlotsOf(args.rows, first_row, end_row), launcher).Lower();
}

}  // namespace

void LowerSelect(const SelectArgs& args, Launcher& launcher) {
  constexpr int64_t kRowBytes = sizeof(JobRow) + sizeof(int64_t);
  const int64_t rows = args.rows.row_count;
  const int64_t count_bytes = launcher.StagedBytes(args.counts, rows * 4);
  const auto bytes_of = [&](int64_t s) {
    const SelectSegment& segment = args.segments[s];
    const int64_t slots =
        SlotsOf(args.rows, segment.first_row, segment.first_row + segment.row_count);
    return static_cast<int64_t>(sizeof(SelectSegment) + sizeof(int64_t)) + count_bytes +
           segment.row_count * static_cast<int64_t>(sizeof(RankedPlace)) +
           launcher.StagedBytes(args.scores, slots * 4) +
           launcher.StagedBytes(args.masks, slots / 8);
  };
  int64_t count = 0;
  for (int64_t first = 0; first < args.segment_count; first += count) {
    if (first > 0) launcher.NextPart();
    count = ItemsWithin(first, args.segment_count, launcher.part_bytes() - rows * kRowBytes,
                        bytes_of);
    LowerSegments(args, first, count, launcher);
  }
}

}  // namespace sluice::device
