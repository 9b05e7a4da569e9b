// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a job takes the accumulated scores of its sequence: its own copy to select by, and
// those of what stays for the new body.

#include <algorithm>
#include <numeric>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/scores.h"

namespace sluice {
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

// The new body has at most a page for each that the rows fill now.
int64_t Jobs::AvailablePages(const Job& job) const {
  const SequenceState& sequence = *job.sequence;
  const HeldRows held = HeldOf(sequence);
  int64_t pages = 0;
  for (size_t row = 0; row < held.body_slots.size(); ++row) {
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

bool Jobs::GathersScores(const Job& job) const {
  return job.body_scores != nullptr && (!job.pass.selects || job.kept != std::vector<int32_t>(
                                                                 job.slots.begin(),
                                                                 job.slots.end()));
}

void Jobs::SubmitGather(Job& job) {
  const int64_t page_size = job.sequence->model->model->format().page.page_size;
  job.score_destinations.assign(1, 0);
  for (const int32_t kept : job.kept) {
    job.score_destinations.push_back(job.score_destinations.back() + RoundUp(kept, page_size));
  }
  ChooseLane(job, 0);
  MoveScoresArgs args;
  args.rows = {&job.entry, 0, static_cast<int32_t>(job.kept.size()), job.mask_offsets.data()};
  args.masks = job.pass.selects ? job.masks.data() : nullptr;
  args.destination_offsets = job.score_destinations.data();
  args.destination = job.body_scores;
  job.gathering = true;
  job.ticket = core_.backend.Submit(job.lane, args);
}

}  // namespace sluice
