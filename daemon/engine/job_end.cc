// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How what a job built is committed, and how a job ends.

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/observations.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

// Of a sequence's jobs that evicted, what is told of the newest so many.
constexpr size_t kKnownEvictions = 16;

template <class Integer>
int64_t Sum(const std::vector<Integer>& slots) {
  return std::accumulate(slots.begin(), slots.end(), int64_t{0});
}

}  // namespace

bool Jobs::TryCommit(Job& job) {
  if (job.sequence->step != nullptr || job.sequence->readers > 0) return false;
  if (GathersScores(job)) return StartGather(job);
  FinishPass(job);
  return true;
}

void Jobs::FinishPass(Job& job) {
  const int64_t evicted = Sum(job.slots) - Sum(job.kept);
  job.evicted_slots += evicted;
  job.losses.Take(job.slots, job.kept);
  if (evicted > 0 || !job.pass.selects) {
    Commit(job);
  } else {
    ReleasePlan(job);
  }
  if (!job.passes.has_value()) return EndBuilt(job, absl::OkStatus());
  job.passes->Passed(job.pass);
  job.stage = Job::Stage::kQueued;
  job.coming.emplace(core_);
}

void Jobs::Commit(Job& job) {
  SequenceState& sequence = *job.sequence;
  if (!job.before.has_value()) {
    job.before.emplace();
    job.before->all = job.before->alone = core_.cache.HeldBytes(sequence.handle);
    // BytesAlone is O(pages): only for people, and where it may differ from all.
    if (job.answer != nullptr || core_.cache.MayShare(sequence.handle)) {
      job.before->alone = core_.cache.BytesAlone(sequence.handle);
    }
  }
  const std::optional<BodiesId> old = core_.cached(sequence).bodies();
  core_.cache.CommitJob(sequence.handle,
                        ResultOf(job, sequence.model->model->format().page.page_size,
                                 old.has_value() ? &core_.cache.BodiesOf(*old) : nullptr));
  job.planned = false;
  job.score_offsets.clear();
  const Sequence& state = core_.cached(sequence);
  if (state.bodies().has_value()) {
    core_.tables.SetBodies(*state.bodies(), job.bodies_range,
                           core_.cache.BodiesOf(*state.bodies()));
    job.bodies_range = {};
  }
  core_.tables.Assign(sequence.list, state.blocks());
  if (state.scores().has_value()) WriteScoreList(core_, sequence, 0);
  FreeTables(job);
  CountSlots(sequence);
}

// Ends a job whose passes, or only pass, are through; not OK: some are left, and
// cannot be had.
void Jobs::EndBuilt(Job& job, absl::Status status) {
  JobEnd end;
  if (job.evicted_slots == 0 && !status.ok()) {
    end.status = std::move(status);
    return End(job, JobOutcome::kSkipped, std::move(end));
  }
  end.kept_tokens = core_.cache.KeptSlots(job.sequence->handle);
  if (job.evicted_slots == 0) return End(job, JobOutcome::kNothingToEvict, std::move(end));
  CountFreed(job, end);
  End(job, JobOutcome::kCommitted, std::move(end));
}

void Jobs::CountFreed(const Job& job, JobEnd& end) const {
  const SequenceState& sequence = *job.sequence;
  const int64_t given_up = job.before->all - core_.cache.HeldBytes(sequence.handle);
  end.freed_now_bytes = std::max<int64_t>(0, given_up);
  if (job.before->alone < job.before->all) {
    int64_t alone = core_.cache.BytesAlone(sequence.handle);
    // Pages taken over are not counted alone as long as their blocks are given
    // up in slices; those of others' blocks stay shared and make this too small.
    // Before a job by passes ends all of it is given up.
    if (!job.passes.has_value()) {
      alone += sequence.model->model->page_bytes() *
               std::count_if(job.reused.begin(), job.reused.end(),
                             [](uint32_t page) { return page != kNoPage; });
    }
    end.freed_now_bytes = std::max<int64_t>(0, job.before->alone - alone);
  }
  end.freed_later_bytes = std::max<int64_t>(0, given_up - end.freed_now_bytes);
}

JobReport Jobs::ReportOf(const Job& job, JobOutcome outcome) const {
  JobReport report;
  report.preset = job.policy->spec().preset;
  report.trigger = job.trigger;
  report.outcome = outcome;
  report.snapshot_tokens = job.facts.snapshot_tokens;
  report.duration = core_.now() - job.queued_at;
  if (outcome == JobOutcome::kCommitted || outcome == JobOutcome::kDryRun) {
    report.kept_slots = job.had_slots - job.evicted_slots;
    report.evicted_slots = job.evicted_slots;
    report.detail = FewRows(job.recipe, job.observed_rows);
  }
  if (outcome == JobOutcome::kCommitted) {
    job.losses.Report(*job.sequence->model->model, report);
  }
  return report;
}

void Jobs::End(Job& job, JobOutcome outcome, JobEnd end) {
  SequenceState& sequence = *job.sequence;
  end.report = ReportOf(job, outcome);
  end.report.freed_bytes = end.freed_now_bytes;
  end.report.freed_later_bytes = end.freed_later_bytes;
  if (!end.status.ok()) end.report.detail = std::string(end.status.message());
  if (!job.dry_run) Count(job, end.report);
  DropAhead(sequence);
  sequence.job = nullptr;
  job.sequence = nullptr;
  // Where it was cancelled another look at the triggers may need them.
  if (job.trigger == Trigger::kPrefillEnd && outcome != JobOutcome::kCancelled) {
    DropSpentObservations(core_, sequence);
  }
  if (job.answer) job.answer(end);
  core_.waiting.Changed();
  const std::optional<int64_t> length_limit = job.length_limit;
  jobs_.remove_if([&](const std::unique_ptr<Job>& other) { return other.get() == &job; });
  // With drafts the triggers come after the next step's rollback.
  if (sequence.draft_tokens == 0) LookAtTriggers(sequence, length_limit);
}

void Jobs::Count(const Job& job, const JobReport& report) {
  for (EngineTotals* totals : {&core_.totals, &core_.totals_by_preset[report.preset]}) {
    ++totals->jobs_by_trigger[static_cast<size_t>(job.trigger)]
                             [static_cast<size_t>(report.outcome)];
    totals->kept_slots += report.kept_slots;
    totals->evicted_slots += report.evicted_slots;
    totals->job_freed_bytes += report.freed_bytes;
    totals->measured_jobs += report.evicted_mass_share.has_value() ? 1 : 0;
    totals->evicted_mass_share_sum += report.evicted_mass_share.value_or(0.0);
  }
  job.sequence->last_job = report;
  if (report.outcome != JobOutcome::kCommitted) return;
  std::vector<JobReport>& evictions = job.sequence->evictions;
  if (evictions.size() == kKnownEvictions) evictions.erase(evictions.begin());
  evictions.push_back(report);
  evictions.back().layers.clear();
}

void Jobs::FreeTables(Job& job) {
  core_.tables.Free(std::exchange(job.list_range, {}));
  core_.tables.Free(std::exchange(job.bodies_range, {}));
}

}  // namespace sluice
