// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a job builds its rows: pages, batches and their operations.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

// A batch is about a millisecond of work: a job that a step waits for takes the
// foreground lane for no longer, and has the workspace of another job no later.
constexpr int64_t kBatchSliceBytes = int64_t{256} << 10;
constexpr int64_t kBatchSliceFlops = int64_t{64} << 20;

absl::Status NoRoom(const std::string& message) {
  return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "", message);
}

}  // namespace

HeldRows Jobs::HeldOf(const SequenceState& sequence) const {
  const Sequence& state = core_.cached(sequence);
  HeldRows held;
  held.body_slots.assign(static_cast<size_t>(state.geometry().row_count), 0);
  held.tail_first_position = state.tail_first_position();
  held.tail_start = state.tail_start();
  held.page_size = state.geometry().page_size;
  if (!state.bodies().has_value()) return held;
  const std::vector<RowExtent>& rows = core_.cache.BodiesOf(*state.bodies()).rows;
  for (size_t row = 0; row < rows.size(); ++row) held.body_slots[row] = rows[row].slots;
  return held;
}

absl::Status Jobs::Plan(Job& job, int64_t snapshot) {
  const SequenceState& sequence = *job.sequence;
  SLUICE_ASSIGN_OR_RETURN(job.slots,
                          core_.cache.PlanJob(sequence.handle, snapshot,
                                              std::max(snapshot, job.read_tokens())));
  job.planned = true;
  job.planned_after = core_.backend.Submitted(Lane::kForeground);
  if (job.recipe.scorer == Scorer::kWindow) {
    job.rings = core_.cache.HoldObservations(sequence.handle);
    if (absl::Status rows = CheckRows(job.recipe, job.rings.has_value() ? job.observed_rows : 0);
        !rows.ok()) {
      ReleasePlan(job);
      return rows;
    }
  }
  const int64_t list_bytes = sequence.list.count * static_cast<int64_t>(sizeof(uint32_t));
  const std::optional<TableRange> list = core_.tables.Allocate(list_bytes);
  if (!list.has_value()) {
    ReleasePlan(job);
    return NoRoom("the table segment is full");
  }
  job.list_range = *list;
  if (list_bytes > 0) {
    std::copy_n(static_cast<const std::byte*>(core_.tables.At(sequence.list.range)), list_bytes,
                core_.tables.Write<std::byte>(job.list_range, 0, list_bytes));
  }
  job.entry = core_.EntryOf(sequence);
  job.entry.block_list_offset = job.list_range.offset;
  job.entry.base_length = snapshot;
  job.score_flops = ScoreFlops(job);
  return absl::OkStatus();
}

void Jobs::ReleasePlan(Job& job) {
  if (job.planned) core_.cache.CancelJob(job.sequence->handle);
  job.planned = false;
  job.score_offsets.clear();
  job.owns_scores = false;
  FreeTables(job);
}

absl::Status Jobs::Build(Job& job, const JobPass& pass) {
  if (!job.planned) SLUICE_RETURN_IF_ERROR(Plan(job, pass.snapshot_tokens));
  job.pass = pass;
  if (absl::Status reserved = Reserve(job); !reserved.ok()) {
    ReleasePlan(job);
    return reserved;
  }
  job.stage = Job::Stage::kRunning;
  job.next_batch = 0;
  running_ = &job;
  SubmitBatch(job);
  return absl::OkStatus();
}

absl::Status Jobs::Reserve(Job& job) {
  const int64_t page_size = job.sequence->model->model->format().page.page_size;
  const BatchLimits limits{core_.memory.workspace_bytes, kBatchSliceBytes, kBatchSliceFlops};
  const bool scores = job.pass.selects && job.score_offsets.empty();
  job.batches = CutBatches(job.recipe, job.pass, job.slots,
                           scores ? job.score_flops : std::vector<int64_t>(), limits);
  if (job.batches.empty()) {
    return NoRoom(absl::StrCat("a head's scores do not fit the job workspace of ",
                               core_.memory.workspace_bytes, " bytes"));
  }
  job.destination_offsets =
      DestinationOffsets(job.recipe, job.pass, job.slots, page_size);
  SLUICE_RETURN_IF_ERROR(ReserveTables(job));
  SLUICE_RETURN_IF_ERROR(ReservePages(job));
  ReserveMasks(job);
  job.losses.StartPass(job.recipe, job.slots.size());
  job.reused.assign(job.destination_pages.size(), kNoPage);
  job.kept.assign(job.slots.begin(), job.slots.end());
  const auto [first, end] = RowsOf(job.recipe, job.pass);
  if (job.pass.selects) std::fill(job.kept.begin() + first, job.kept.begin() + end, 0);
  return absl::OkStatus();
}

// A place that is known to be taken over needs no page.
absl::Status Jobs::ReservePages(Job& job) {
  const HeldRows held = HeldOf(*job.sequence);
  job.destination_pages.assign(static_cast<size_t>(job.destination_offsets.back()), kNoPage);
  std::vector<size_t> places;
  for (size_t row = 0; row < job.slots.size(); ++row) {
    const int64_t first = job.destination_offsets[row];
    for (int64_t place = first; place < job.destination_offsets[row + 1]; ++place) {
      const bool taken = !job.pass.selects && IsTakenOver(held, row, place - first,
                                                          job.pass.snapshot_tokens);
      if (!taken) places.push_back(static_cast<size_t>(place));
    }
  }
  SLUICE_ASSIGN_OR_RETURN(
      const std::optional<PageClass> scores,
      BodyScorePage(core_, *job.sequence, job.destination_offsets.back() + PagesLeftAlone(job)));
  SLUICE_ASSIGN_OR_RETURN(
      const JobPages pages,
      core_.cache.AllocateJobPages(
          job.sequence->handle, static_cast<int64_t>(places.size()),
          scores.has_value() ? std::optional(scores->size_class) : std::nullopt));
  core_.ClearSlabs(pages.slabs_to_clear);
  job.body_scores = scores.has_value()
                        ? reinterpret_cast<float*>(
                              PageAt(core_, *pages.body_scores, scores->page_bytes))
                        : nullptr;
  for (size_t i = 0; i < places.size(); ++i) {
    job.destination_pages[places[i]] = pages.pages[i].value;
  }
  return absl::OkStatus();
}

// Body pages of the rows that the pass does not build.
int64_t Jobs::PagesLeftAlone(const Job& job) const {
  const HeldRows held = HeldOf(*job.sequence);
  const auto [first, end] = RowsOf(job.recipe, job.pass);
  int64_t pages = 0;
  for (int32_t row = 0; row < static_cast<int32_t>(held.body_slots.size()); ++row) {
    if (row >= first && row < end) continue;
    pages += CeilDivide(held.body_slots[static_cast<size_t>(row)], held.page_size);
  }
  return pages;
}

absl::Status Jobs::ReserveTables(Job& job) {
  const int64_t pages = job.destination_offsets.back() + PagesLeftAlone(job);
  const std::optional<TableRange> bodies = core_.tables.Allocate(
      Tables::BodiesBytes(static_cast<int64_t>(job.slots.size()), pages));
  if (!bodies.has_value()) return NoRoom("the table segment is full");
  job.bodies_range = *bodies;
  return absl::OkStatus();
}

void Jobs::FillBatch(Job& job, const JobBatch& batch, const std::vector<RecipeSegment>& from) {
  const auto first_row = static_cast<size_t>(batch.first_row);
  const auto row_count = static_cast<size_t>(batch.row_count);
  job.row_offsets.assign(1, 0);
  for (size_t i = 0; i < row_count; ++i) {
    const int64_t rounded = RoundUp(job.slots[first_row + i], kSlotsPerWord);
    job.row_offsets.push_back(job.row_offsets.back() + rounded);
  }
  job.rows = {&job.entry, batch.first_row, batch.row_count, job.row_offsets.data()};
  job.segments.clear();
  for (int32_t i = 0; i < batch.segment_count; ++i) {
    const RecipeSegment& segment = from[static_cast<size_t>(batch.first_segment + i)];
    job.segments.push_back({segment.first_row - batch.first_row, segment.row_count, segment.k,
                            segment.protect_below_position, segment.protect_from_position,
                            segment.drop_below_position});
  }
  job.counts.assign(job.segments.size() * row_count, 0);
}

// Scores and selects; returns the masks.
const uint32_t* Jobs::SubmitSelection(Job& job) {
  auto* scores = reinterpret_cast<float*>(core_.memory.workspace);
  auto* masks = reinterpret_cast<uint32_t*>(scores + job.row_offsets.back());
  if (job.score_offsets.empty()) {
    SubmitScores(job, 0, job.rows.row_count, scores);
  } else {
    const int64_t first = job.score_offsets[static_cast<size_t>(job.rows.first_row)];
    masks = reinterpret_cast<uint32_t*>(scores + job.score_offsets.back());
    scores += first;
  }
  if (!job.masks.empty()) {
    const auto first_row = static_cast<size_t>(job.rows.first_row);
    masks = job.masks.data() + job.mask_offsets[first_row] / kSlotsPerWord;
  }
  SelectArgs select;
  select.rows = job.rows;
  select.scores = job.recipe.scorer == Scorer::kNone ? nullptr : scores;
  select.segments = job.segments.data();
  select.segment_count = static_cast<int32_t>(job.segments.size());
  select.combine = static_cast<RowCombine>(job.recipe.combine);
  select.at_least = job.recipe.at_least;
  select.at_most = job.recipe.at_most;
  select.masks = masks;
  select.counts = job.counts.data();
  core_.backend.Submit(job.lane, select);
  if (job.losses.measures()) {
    core_.backend.Submit(job.lane, job.losses.SumsOf(job.rows, scores, masks));
  }
  return masks;
}

void Jobs::SubmitBatch(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  FillBatch(job, batch, job.recipe.segments);
  const bool scores = job.pass.selects && job.score_offsets.empty();
  ChooseLane(job, scores ? SumOfRows(job.score_flops, batch.first_row, batch.row_count) : 0);
  const uint32_t* masks = job.pass.selects ? SubmitSelection(job) : nullptr;
  const int64_t first_page = job.destination_offsets[static_cast<size_t>(batch.first_row)];
  job.batch_destinations.assign(1, 0);
  for (int32_t i = 1; i <= batch.row_count; ++i) {
    job.batch_destinations.push_back(
        job.destination_offsets[static_cast<size_t>(batch.first_row + i)] - first_page);
  }
  CompactArgs compact;
  compact.rows = job.rows;
  compact.masks = masks;
  compact.destination_pages = job.destination_pages.data() + first_page;
  compact.destination_offsets = job.batch_destinations.data();
  compact.destination_format = job.sequence->model->format;
  compact.reused = job.reused.data() + first_page;
  job.ticket = core_.backend.Submit(job.lane, compact);
}

// A waited job takes the foreground lane, but not for longer than a slice; so does one
// that a waited one cannot come before.
void Jobs::ChooseLane(Job& job, int64_t flops) {
  const bool hurries = job.waited || (job.owns_scores && AnotherIsWaitedFor());
  job.lane = hurries && flops <= kBatchSliceFlops ? Lane::kForeground : Lane::kBackground;
  // A copy on write of what it reads may still be under way: that of a step that
  // was undone.
  if (job.lane == Lane::kBackground) core_.backend.After(Lane::kBackground, job.planned_after);
}

void Jobs::FinishBatch(Job& job) {
  if (job.copying) return FinishCopySlice(job);
  if (job.counting) return FinishCount(job);
  const JobBatch& batch = job.batches[job.next_batch];
  for (size_t segment = 0; job.pass.selects && segment < job.segments.size(); ++segment) {
    for (int32_t row = 0; row < batch.row_count; ++row) {
      job.kept[static_cast<size_t>(batch.first_row + row)] +=
          job.counts[segment * static_cast<size_t>(batch.row_count) + static_cast<size_t>(row)];
    }
  }
  if (++job.next_batch == job.batches.size()) {
    EndBatches(job);
  } else if (MayPause(job)) {
    job.stage = Job::Stage::kPaused;
    job.score_offsets.clear();  // another has the workspace
    running_ = nullptr;
  } else {
    SubmitBatch(job);
  }
}

void Jobs::EndBatches(Job& job) {
  job.stage = Job::Stage::kReady;
  running_ = nullptr;
  core_.cache.EndJobReads(job.sequence->handle);
}

}  // namespace sluice
