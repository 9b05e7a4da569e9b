// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a job scores its rows, and what it counts where budgets depend on scores.

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/observations.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

// As many scores as a slice takes at most: about a millisecond.
constexpr int64_t kCountSliceFlops = int64_t{64} << 20;
// What ranking a slot takes, in scores' measure.
constexpr int64_t kFlopsOfARank = 64;
// A job that nobody waits for makes way between slices, and then scores again. It does
// not do so for ever.
constexpr int32_t kMostCountPauses = 3;

WindowPool PoolOf(ScorePool pool) {
  switch (pool) {
    case ScorePool::kNone:
      return WindowPool::kNone;
    case ScorePool::kAverage:
      return WindowPool::kAverage;
    case ScorePool::kMax:
      return WindowPool::kMax;
  }
  return WindowPool::kNone;
}

// Rows of the layer among `row_count` from `first_row` on: the first, and beyond the last.
std::pair<int32_t, int32_t> RowsIn(const LayerShape& layer, int32_t first_row,
                                   int32_t row_count) {
  return {std::max(first_row, layer.first_row),
          std::min(first_row + row_count, layer.first_row + layer.kv_heads)};
}

}  // namespace

int64_t Jobs::RowsFor(const SequenceState& sequence, const JobRecipe& recipe,
                      int64_t length) const {
  if (recipe.scorer != Scorer::kWindow || !sequence.rings.has_value() ||
      !core_.cached(sequence).observations().has_value()) {
    return 0;
  }
  const int64_t window =
      std::min(recipe.window_score.window_tokens, sequence.rings->layout.capacity);
  return ObservedRows(sequence, length, window);
}

absl::Status Jobs::CheckRows(const JobRecipe& recipe, int64_t observed_rows) const {
  if (recipe.scorer != Scorer::kWindow || observed_rows > 0) return absl::OkStatus();
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "",
                absl::StrCat("there are no observation rows of the last ",
                             recipe.window_score.window_tokens, " tokens to score by"));
}

std::string Jobs::FewRows(const JobRecipe& recipe, int64_t observed_rows) {
  const int32_t window = recipe.window_score.window_tokens;
  if (recipe.scorer != Scorer::kWindow || observed_rows >= window) return "";
  return absl::StrCat(observed_rows, " of ", window, " observation rows");
}

// Multiplying the window's queries with the keys is most of the work.
std::vector<int64_t> Jobs::ScoreFlops(const Job& job) const {
  std::vector<int64_t> flops;
  if (job.recipe.scorer != Scorer::kWindow) return flops;
  const Model& model = *job.sequence->model->model;
  const int64_t beyond = job.read_tokens() - job.entry.base_length;
  flops.resize(job.slots.size());
  for (int32_t index = 0; index < model.layer_count(); ++index) {
    if (!model.owns_cache(index)) continue;
    const LayerShape& layer = model.shape(index);
    const int64_t of_slot = 4 * job.observed_rows * (layer.q_heads / layer.kv_heads) * layer.k_dim;
    for (int32_t row = layer.first_row; row < layer.first_row + layer.kv_heads; ++row) {
      flops[static_cast<size_t>(row)] =
          of_slot * (job.slots[static_cast<size_t>(row)] + beyond);
    }
  }
  return flops;
}

void Jobs::SubmitScores(Job& job, int32_t first_row, int32_t row_count, float* scores) {
  if (job.recipe.scorer == Scorer::kKeyNorm) {
    job.ticket = core_.backend.Submit(job.lane, KeyNormScoreArgs{job.rows, scores});
  }
  const bool by_window = job.recipe.scorer == Scorer::kWindow;
  if (!by_window && job.recipe.scorer != Scorer::kAccumulated) return;
  const Model& model = *job.sequence->model->model;
  job.layer_offsets.clear();
  job.layer_offsets.reserve(static_cast<size_t>(row_count + model.layer_count()));  // never moves
  for (int32_t index = 0; index < model.layer_count(); ++index) {
    if (!model.owns_cache(index)) continue;
    const LayerShape& layer = model.shape(index);
    const auto [first, end] = RowsIn(layer, job.rows.first_row + first_row, row_count);
    if (first >= end) continue;
    by_window ? SubmitWindowScore(job, layer, first, end - first, scores)
              : SubmitAccumulated(job, layer, first, end - first, scores);
  }
}

WindowScoreArgs Jobs::WindowArgs(const SequenceState& sequence, const WindowScore& rule,
                                 const LayerShape& layer, BlockId rings) const {
  WindowScoreArgs args;
  args.layer = &layer;
  args.observation = ObservationRing(core_, sequence, rings, layer.layer);
  args.layout = sequence.rings->layout;
  args.window = std::min(rule.window_tokens, args.layout.capacity);
  args.reduce = ReduceOf(rule.reduce);
  args.pool = PoolOf(rule.pool);
  args.pool_width = rule.pool_width;
  return args;
}

void Jobs::SubmitWindowScore(Job& job, const LayerShape& layer, int32_t first_row,
                             int32_t row_count, float* scores) {
  const int64_t* offsets = job.row_offsets.data() + (first_row - job.rows.first_row);
  const size_t place = job.layer_offsets.size();
  for (int32_t row = 0; row <= row_count; ++row) {
    job.layer_offsets.push_back(offsets[row] - offsets[0]);
  }
  WindowScoreArgs args = WindowArgs(*job.sequence, job.recipe.window_score, layer, *job.rings);
  args.rows = {&job.entry, first_row, row_count, job.layer_offsets.data() + place};
  args.length = job.facts.length_tokens;
  args.scores = scores + offsets[0];
  job.ticket = core_.backend.Submit(job.lane, args);
}

// ---- counts

void Jobs::StartCount(Job& job) {
  if (!job.planned) {
    if (absl::Status planned = Plan(job, job.facts.snapshot_tokens); !planned.ok()) {
      return EndBuilt(job, std::move(planned));
    }
  }
  job.batches = CutCounts(job.recipe, job.slots, core_.memory.workspace_bytes);
  if (job.batches.empty()) {
    ReleasePlan(job);
    const std::string detail =
        absl::StrCat("the scores of heads that compete with each other do not fit the job "
                     "workspace of ", core_.memory.workspace_bytes,
                     " bytes; it is a part of pool.job_reserve_bytes");
    return EndBuilt(job, Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                                detail));
  }
  job.row_counts.assign(job.recipe.count_segments.size() * job.slots.size(), 0);
  job.counting = true;
  job.next_batch = 0;
  job.scored_rows = 0;
  job.stage = Job::Stage::kRunning;
  running_ = &job;
  SubmitCount(job);
}

// Scores as many rows of the batch as a slice takes or, once all are scored, counts.
void Jobs::SubmitCount(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  if (job.scored_rows == 0) FillBatch(job, batch, job.recipe.count_segments);
  const auto* scores = reinterpret_cast<const float*>(core_.memory.workspace);
  if (!job.score_offsets.empty()) {
    scores += job.score_offsets[static_cast<size_t>(batch.first_row)];
    job.scored_rows = batch.row_count;
  }
  if (job.scored_rows < batch.row_count) return SubmitCountSlice(job);
  job.slice_rows = 0;
  int64_t ranked_slots = 0;
  for (const SelectSegment& segment : job.segments) {
    ranked_slots += job.row_offsets[static_cast<size_t>(segment.first_row + segment.row_count)] -
                    job.row_offsets[static_cast<size_t>(segment.first_row)];
  }
  ChooseLane(job, ranked_slots * kFlopsOfARank);
  SelectArgs select;
  select.rows = job.rows;
  select.scores = scores;
  select.segments = job.segments.data();
  select.segment_count = static_cast<int32_t>(job.segments.size());
  select.combine = static_cast<RowCombine>(job.recipe.combine);
  select.at_least = job.recipe.at_least;
  select.at_most = job.recipe.at_most;
  select.counts = job.counts.data();
  job.ticket = core_.backend.Submit(job.lane, select);
}

void Jobs::SubmitCountSlice(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  const int32_t first = job.scored_rows;
  int64_t flops = 0;
  job.slice_rows = first == 0 ? RowsAhead(job) : 0;
  if (job.slice_rows > 0) return SubmitCopiesOfAhead(job, job.slice_rows);
  while (first + job.slice_rows < batch.row_count && job.slice_rows < kMostScoredRows) {
    const int64_t more =
        SumOfRows(job.score_flops, batch.first_row + first + job.slice_rows, 1);
    if (job.slice_rows > 0 && flops + more > kCountSliceFlops) break;
    flops += more;
    ++job.slice_rows;
  }
  ChooseLane(job, flops);
  SubmitScores(job, first, job.slice_rows, reinterpret_cast<float*>(core_.memory.workspace));
}

void Jobs::FinishCount(Job& job) {
  if (job.slice_rows > 0) {
    job.scored_rows += job.slice_rows;
  } else {
    TakeCounts(job);
    ++job.next_batch;
    job.scored_rows = 0;
  }
  if (job.next_batch == job.batches.size()) return EndCount(job);
  if (job.count_pauses < kMostCountPauses && MayPause(job)) {
    ++job.count_pauses;
    job.scored_rows = 0;
    job.stage = Job::Stage::kPaused;
    running_ = nullptr;
    return;
  }
  SubmitCount(job);
}

void Jobs::TakeCounts(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  const auto row_count = static_cast<size_t>(batch.row_count);
  for (size_t segment = 0; segment < job.segments.size(); ++segment) {
    const size_t place = (static_cast<size_t>(batch.first_segment) + segment) * job.slots.size() +
                         static_cast<size_t>(batch.first_row);
    std::copy_n(job.counts.begin() + static_cast<std::ptrdiff_t>(segment * row_count), row_count,
                job.row_counts.begin() + static_cast<std::ptrdiff_t>(place));
  }
}

// The counts are there: the policy turns them into what the job does.
void Jobs::EndCount(Job& job) {
  DropAhead(*job.sequence);
  job.counting = false;
  job.counted = true;
  job.stage = Job::Stage::kQueued;
  running_ = nullptr;
  // Those of one batch are all still there, if it was of all rows.
  if (job.batches.size() == 1 && job.row_offsets.size() == job.slots.size() + 1) {
    job.score_offsets = job.row_offsets;
  }
  job.recipe = job.policy->Budget(job.facts, job.row_counts);
  if (job.dry_run || job.recipe.evicts_nothing) {
    ReleasePlan(job);
    return job.dry_run ? EndDryRun(job) : EndBuilt(job, absl::OkStatus());
  }
  if (!HasPagesForWhole(job)) {
    // The counts hold as long as no step comes between.
    ReleasePlan(job);
    job.due = true;
    return;
  }
  if (absl::Status built = Build(job, WholePass(job)); !built.ok()) {
    EndBuilt(job, std::move(built));
  }
}

}  // namespace sluice
