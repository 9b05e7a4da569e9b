// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a job takes the accumulated scores of its sequence: its own copy to select by, and
// those of what stays for the new body.

#include <algorithm>
#include <numeric>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

// Scores that are moved at a time, unless a row has more: less than a millisecond.
constexpr int64_t kSliceSlots = int64_t{128} << 10;
// Jobs that gather at a time: each has an operation in the lane, which has other users.
constexpr int64_t kMostGathering = 64;

// How many of the rows from `first_row` on a slice takes.
int32_t SliceOf(const std::vector<int64_t>& offsets, int32_t first_row) {
  const auto row_count = static_cast<int32_t>(offsets.size()) - 1;
  int32_t end = first_row + 1;
  while (end < row_count && end - first_row < kMostScoredRows &&
         offsets[static_cast<size_t>(end) + 1] - offsets[static_cast<size_t>(first_row)] <=
             kSliceSlots) {
    ++end;
  }
  return end - first_row;
}

}  // namespace

// A job that steps wait for needs no copy; nor does one by passes, for which they do.
bool Jobs::CopiesScores(const Job& job) const {
  if (job.due || job.recipe.scorer != Scorer::kAccumulated) return false;
  const HeldRows held = HeldOf(*job.sequence);
  int64_t bytes = 0;
  for (size_t row = 0; row < held.body_slots.size(); ++row) {
    bytes += WorkspaceBytes(held.SlotsBelow(row, job.facts.snapshot_tokens));
  }
  return bytes <= core_.memory.workspace_bytes;
}

absl::Status Jobs::StartCopy(Job& job) {
  SLUICE_RETURN_IF_ERROR(Plan(job, job.facts.snapshot_tokens));
  FillBatch(job, {0, static_cast<int32_t>(job.slots.size()), 0, 0}, {});
  job.score_offsets = job.row_offsets;
  job.owns_scores = job.copying = true;
  job.scored_rows = 0;
  job.stage = Job::Stage::kRunning;
  job.lane = Lane::kForeground;
  running_ = &job;
  SubmitCopySlice(job);
  return absl::OkStatus();
}

void Jobs::SubmitCopySlice(Job& job) {
  job.slice_rows = SliceOf(job.score_offsets, job.scored_rows);
  SubmitScores(job, job.scored_rows, job.slice_rows,
               reinterpret_cast<float*>(core_.memory.workspace));
}

// Steps that waited for the copy go on.
void Jobs::FinishCopySlice(Job& job) {
  job.scored_rows += job.slice_rows;
  if (job.scored_rows < static_cast<int32_t>(job.slots.size())) return SubmitCopySlice(job);
  job.copying = job.waited = false;
  job.scored_rows = 0;
  job.stage = Job::Stage::kQueued;
  running_ = nullptr;
  core_.waiting.Changed();
  if (job.recipe.count_segments.empty() && !HasPagesForWhole(job)) {
    ReleasePlan(job);
    job.due = true;
    return;
  }
  StartRecipe(job);
}

void Jobs::SubmitAccumulated(Job& job, const LayerShape& layer, int32_t first_row,
                             int32_t row_count, float* scores) {
  const int64_t* offsets = job.row_offsets.data() + (first_row - job.rows.first_row);
  MoveScoresArgs args;
  args.rows = {&job.entry, first_row, row_count, offsets};
  args.destination_offsets = offsets;
  args.destination = scores;
  if (job.recipe.normalise == ScoreNormalise::kMean) {
    args.seen_below = job.facts.length_tokens;
    args.window = layer.window;
  }
  job.ticket = core_.backend.Submit(job.lane, args);
}

// Rows that no batch selects of keep all.
void Jobs::ReserveMasks(Job& job) const {
  job.mask_offsets.clear();
  job.masks.clear();
  if (!core_.cached(*job.sequence).scores().has_value()) return;
  job.mask_offsets.push_back(0);
  for (const int64_t slots : job.slots) {
    job.mask_offsets.push_back(job.mask_offsets.back() + RoundUp(slots, kSlotsPerWord));
  }
  job.masks.assign(static_cast<size_t>(job.mask_offsets.back() / kSlotsPerWord), ~uint32_t{0});
}

int64_t Jobs::AvailablePages(const Job& job, std::optional<int64_t> body_pages) const {
  const SequenceState& sequence = *job.sequence;
  const HeldRows held = HeldOf(sequence);
  int64_t pages = body_pages.value_or(0);
  for (size_t row = 0; row < held.body_slots.size() && !body_pages.has_value(); ++row) {
    pages += CeilDivide(held.SlotsBelow(row, job.facts.snapshot_tokens), held.page_size);
  }
  const int64_t most = core_.memory.pool.slab_bytes /
                       (held.page_size * static_cast<int64_t>(sizeof(float)));
  const auto scores = BodyScorePage(core_, sequence, std::min(pages, most));
  return core_.cache.AvailableJobPages(
      sequence.handle, scores.ok() && scores->has_value()
                           ? std::optional((*scores)->size_class)
                           : std::nullopt);
}

// The recipe's segments cover all rows: the new body has those pages and no others.
bool Jobs::HasPagesForWhole(Job& job) const {
  const int64_t pages = PagesOfWhole(job);
  return pages <= AvailablePages(job, pages);
}

bool Jobs::GathersScores(const Job& job) const {
  return job.body_scores != nullptr && (!job.pass.selects || job.kept != std::vector<int32_t>(
                                                                 job.slots.begin(),
                                                                 job.slots.end()));
}

// The rows that a step's attends are not to change meanwhile: the next step waits, and
// nothing else does for longer than a slice.
bool Jobs::StartGather(Job& job) {
  if (core_.dispatcher.copies_wait() || gathering_ == kMostGathering) return false;
  const int64_t page_size = job.sequence->model->model->format().page.page_size;
  job.score_destinations.assign(1, 0);
  for (const int32_t kept : job.kept) {
    job.score_destinations.push_back(job.score_destinations.back() + RoundUp(kept, page_size));
  }
  FillScores(core_, *job.sequence, job.entry);  // steps may have moved them
  job.stage = Job::Stage::kGathering;
  job.lane = Lane::kForeground;
  job.gathered_rows = 0;
  ++gathering_;
  SubmitGatherSlice(job);
  return true;
}

void Jobs::SubmitGatherSlice(Job& job) {
  const auto first = static_cast<size_t>(job.gathered_rows);
  MoveScoresArgs args;
  args.rows = {&job.entry, job.gathered_rows, SliceOf(job.mask_offsets, job.gathered_rows),
               job.mask_offsets.data() + first};
  args.masks = job.pass.selects ? job.masks.data() : nullptr;
  args.destination_offsets = job.score_destinations.data() + first;
  args.destination = job.body_scores;
  job.gathered_rows += args.rows.row_count;
  job.ticket = core_.backend.Submit(job.lane, args);
}

void Jobs::FinishGatherSlice(Job& job) {
  if (job.gathered_rows < static_cast<int32_t>(job.kept.size())) return SubmitGatherSlice(job);
  --gathering_;
  FinishPass(job);
}

}  // namespace sluice
