// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/jobs.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/job_plan.h"

namespace sluice {
namespace {

// A batch is about a millisecond of work: a job that a step waits for takes the
// foreground lane for no longer, and has the workspace of another job no later.
constexpr int64_t kBatchSliceBytes = int64_t{256} << 10;

}  // namespace

void Jobs::CountSlots(SequenceState& sequence) {
  const Sequence& state = core_.cached(sequence);
  std::vector<RowFacts> rows;
  for (const int64_t slots : core_.cache.KeptSlots(sequence.handle)) rows.push_back({slots, 0});
  sequence.most_slots = sequence.policy->MostSlots(rows);
  sequence.most_slots_length = state.length();
}

bool Jobs::Acts(SequenceState& sequence, Trigger trigger, int64_t length) {
  const int64_t beyond = core_.cached(sequence).length() - length;
  SequenceFacts facts;
  facts.most_slots = sequence.most_slots + length - sequence.most_slots_length;
  facts.decoded_tokens = std::max<int64_t>(sequence.decoded_tokens - beyond, 0);
  facts.earlier_prefill_ends = sequence.prefill_ends;
  return sequence.policy->Acts(trigger, facts);
}

void Jobs::LookAtTriggers(SequenceState& sequence, std::optional<int64_t> length_limit) {
  if (sequence.job != nullptr) return;  // it waits; End looks again
  const int64_t own_length = core_.cached(sequence).length();
  const int64_t length = std::min(length_limit.value_or(own_length), own_length);
  std::optional<Trigger> trigger;
  if (sequence.prefill_end_due) {
    sequence.prefill_end_due = false;
    if (Acts(sequence, Trigger::kPrefillEnd, length)) trigger = Trigger::kPrefillEnd;
    ++sequence.prefill_ends;
  }
  if (!trigger.has_value() && sequence.every_due) {
    sequence.every_due = false;
    if (Acts(sequence, Trigger::kEvery, length)) trigger = Trigger::kEvery;
  }
  if (!trigger.has_value()) return;
  Queue(sequence, *trigger, sequence.policy, sequence.policy->visible() == Visible::kWhenDue, {});
  sequence.job->length_limit = length_limit;
}

void Jobs::Request(SequenceState& sequence, PolicyPtr policy,
                   std::function<void(const JobEnd&)> answer) {
  Queue(sequence, Trigger::kRequest, std::move(policy), /*due=*/true, std::move(answer));
  sequence.job->waited = true;
}

void Jobs::Queue(SequenceState& sequence, Trigger trigger, PolicyPtr policy, bool due,
                 std::function<void(const JobEnd&)> answer) {
  SLUICE_CHECK(sequence.job == nullptr) << "sequence " << sequence.id << " has a job";
  auto job = std::make_unique<Job>();
  job->sequence = &sequence;
  job->trigger = trigger;
  job->policy = std::move(policy);
  job->due = due;
  job->answer = std::move(answer);
  job->queued_at = core_.now();
  sequence.job = job.get();
  jobs_.push_back(std::move(job));
}

JobFacts Jobs::FactsOf(const SequenceState& sequence, const Policy& policy, int64_t length,
                       std::vector<RowFacts>& rows) const {
  const Sequence& state = core_.cached(sequence);
  JobFacts facts;
  facts.length_tokens = length;
  facts.snapshot_tokens =
      policy.SnapshotTokens(length, sequence.draft_tokens, state.tail_first_position());
  facts.shared_tokens = std::min(sequence.shared_tokens, length);
  const int64_t beyond = state.length() - length;
  for (const int64_t slots : core_.cache.KeptSlots(sequence.handle)) {
    rows.push_back({slots - beyond, std::min(slots - beyond, facts.shared_tokens)});
  }
  facts.rows = rows;
  return facts;
}

JobEnd Jobs::DryRun(const SequenceState& sequence, const Policy& policy) const {
  std::vector<RowFacts> rows;
  const JobFacts facts = FactsOf(sequence, policy, core_.cached(sequence).length(), rows);
  const JobRecipe recipe = policy.Plan(facts);
  const int64_t hot_tail = facts.length_tokens - facts.snapshot_tokens;
  const int64_t page_size = core_.cached(sequence).geometry().page_size;
  JobEnd end;
  end.report.preset = policy.spec().preset;
  end.report.outcome = JobOutcome::kDryRun;
  end.report.snapshot_tokens = facts.snapshot_tokens;
  int64_t pages_after = 0;
  const auto tail_pages = [&](int64_t snapshot) {
    const Sequence& state = core_.cached(sequence);
    const int64_t first = state.tail_start() + snapshot - state.tail_first_position();
    const int64_t last = state.used_tail_slots();
    return last > first ? (last - 1) / page_size - first / page_size + 1 : int64_t{0};
  };
  for (const RecipeSegment& segment : recipe.segments) {
    for (int32_t row = segment.first_row; row < segment.first_row + segment.row_count; ++row) {
      const int64_t slots = rows[static_cast<size_t>(row)].slots - hot_tail;
      const int64_t kept = std::min({slots, segment.k, recipe.at_most});
      end.kept_tokens.push_back(kept + hot_tail);
      end.report.kept_slots += kept;
      end.report.evicted_slots += slots - kept;
      pages_after += (kept + page_size - 1) / page_size + tail_pages(facts.snapshot_tokens);
    }
  }
  const int64_t held = core_.cache.HeldBytes(sequence.handle);
  const int64_t after = pages_after * sequence.model->model->page_bytes();
  const int64_t alone = core_.cache.BytesAlone(sequence.handle);
  if (end.report.evicted_slots > 0) {
    end.freed_now_bytes = std::max<int64_t>(0, std::min(alone, held) - after);
    end.freed_later_bytes = std::max<int64_t>(0, held - after - end.freed_now_bytes);
  }
  end.report.freed_bytes = end.freed_now_bytes;
  return end;
}

void Jobs::Cancel(SequenceState& sequence) {
  Job* job = sequence.job;
  if (job == nullptr) return;
  const bool planned = job->stage != Job::Stage::kQueued;
  if (planned) core_.cache.CancelJob(sequence.handle);
  JobEnd end;
  end.status = absl::CancelledError("the sequence was freed or rolled back");
  const auto place = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const auto& other) { return other.get() == job; });
  if (job->stage == Job::Stage::kRunning) zombies_.push_back(std::move(*place));
  std::unique_ptr<Job> keep = std::move(*place);
  jobs_.erase(place);
  End(*job, JobOutcome::kCancelled, std::move(end));
  if (job->stage != Job::Stage::kRunning) FreeTables(*job);
  if (running_ == job && job->stage != Job::Stage::kRunning) running_ = nullptr;
}

bool Jobs::DropPassedZombies() {
  const auto dropped = std::erase_if(zombies_, [this](const std::unique_ptr<Job>& job) {
    if (core_.backend.Completed(job->lane) < job->ticket) return false;
    FreeTables(*job);
    if (running_ == job.get()) running_ = nullptr;
    return true;
  });
  if (dropped > 0) core_.waiting.Changed();  // for who waits until nothing reads any more
  return dropped > 0;
}

bool Jobs::CancelledOnesRead() const {
  return std::any_of(zombies_.begin(), zombies_.end(), [this](const std::unique_ptr<Job>& job) {
    return core_.backend.Completed(job->lane) < job->ticket;
  });
}

bool Jobs::Pump() {
  bool worked = DropPassedZombies();
  if (running_ != nullptr && running_->sequence != nullptr) {
    Job& job = *running_;
    if (job.stage == Job::Stage::kRunning && core_.backend.Completed(job.lane) >= job.ticket) {
      FinishBatch(job);
      worked = true;
    }
  }
  // Built jobs commit in any order; building needs the workspace.
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    Job& ready = **job++;
    if (ready.stage == Job::Stage::kReady) worked = TryCommit(ready) || worked;
  }
  while (running_ == nullptr && !core_.dispatcher.copies_wait() && StartNext()) worked = true;
  return worked;
}

bool Jobs::MayPause(const Job& job) const {
  if (job.waited || job.finish_first) return false;
  return std::any_of(jobs_.begin(), jobs_.end(), [](const std::unique_ptr<Job>& other) {
    return other->waited && other->stage == Job::Stage::kQueued;
  });
}

bool Jobs::FinishPausedFirst() {
  bool paused = false;
  for (const auto& job : jobs_) {
    if (job->stage != Job::Stage::kPaused) continue;
    job->finish_first = true;
    paused = true;
  }
  return paused;
}

bool Jobs::StartNext() {
  Job* next = nullptr;
  const auto rank = [](const Job& job) {
    return job.finish_first ? 0 : job.waited ? 1 : job.due ? 2 : 3;
  };
  for (const auto& job : jobs_) {
    if (job->stage != Job::Stage::kQueued && job->stage != Job::Stage::kPaused) continue;
    if (next == nullptr || rank(*job) < rank(*next)) next = job.get();
  }
  if (next == nullptr) return false;
  if (next->stage == Job::Stage::kQueued) {
    Start(*next);
  } else {
    next->stage = Job::Stage::kRunning;
    running_ = next;
    SubmitBatch(*next);
  }
  return true;
}

void Jobs::Start(Job& job) {
  SequenceState& sequence = *job.sequence;
  job.row_facts.clear();
  const int64_t own_length = core_.cached(sequence).length();
  const int64_t length = std::min(job.length_limit.value_or(own_length), own_length);
  job.facts = FactsOf(sequence, *job.policy, length, job.row_facts);
  job.recipe = job.policy->Plan(job.facts);
  if (job.trigger == Trigger::kEvery || job.trigger == Trigger::kPrefillEnd) {
    sequence.decoded_tokens = std::min(sequence.decoded_tokens, own_length - length);
  }
  if (job.recipe.evicts_nothing) {
    JobEnd end;
    end.kept_tokens = core_.cache.KeptSlots(sequence.handle);
    return End(job, JobOutcome::kNothingToEvict, std::move(end));
  }
  auto slots = core_.cache.PlanJob(sequence.handle, job.facts.snapshot_tokens);
  JobEnd end;
  if (!slots.ok()) {
    end.status = slots.status();
    return End(job, JobOutcome::kSkipped, std::move(end));
  }
  job.slots = *std::move(slots);
  job.stage = Job::Stage::kRunning;
  if (absl::Status reserved = Reserve(job); !reserved.ok()) {
    core_.cache.CancelJob(sequence.handle);
    FreeTables(job);
    if (FinishPausedFirst()) {
      job.stage = Job::Stage::kQueued;
      return;
    }
    end.status = std::move(reserved);
    return End(job, JobOutcome::kSkipped, std::move(end));
  }
  running_ = &job;
  SubmitBatch(job);
}

absl::Status Jobs::Reserve(Job& job) {
  const auto full = [](const std::string& message) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "", message);
  };
  const int64_t page_size = job.sequence->model->model->format().page.page_size;
  job.batches =
      CutBatches(job.recipe, job.slots, core_.memory.workspace_bytes, kBatchSliceBytes);
  if (job.batches.empty()) {
    return full(absl::StrCat("a head's scores do not fit the job workspace of ",
                             core_.memory.workspace_bytes, " bytes"));
  }
  job.destination_offsets = DestinationOffsets(job.recipe, job.slots, page_size);
  SLUICE_RETURN_IF_ERROR(ReserveTables(job));
  const int64_t page_count = job.destination_offsets.back();
  SLUICE_ASSIGN_OR_RETURN(JobPages pages,
                          core_.cache.AllocateJobPages(job.sequence->handle, page_count));
  core_.ClearSlabs(pages.slabs_to_clear);
  job.destination_pages.reserve(pages.pages.size());
  for (const PageId page : pages.pages) job.destination_pages.push_back(page.value);
  job.reused.assign(pages.pages.size(), kNoPage);
  job.kept.assign(job.slots.size(), 0);
  return absl::OkStatus();
}

absl::Status Jobs::ReserveTables(Job& job) {
  const SequenceState& sequence = *job.sequence;
  const int64_t list_bytes = sequence.list.count * static_cast<int64_t>(sizeof(uint32_t));
  const std::optional<TableRange> list = core_.tables.Allocate(list_bytes);
  const std::optional<TableRange> bodies = core_.tables.Allocate(Tables::BodiesBytes(
      static_cast<int64_t>(job.slots.size()), job.destination_offsets.back()));
  if (list.has_value()) job.list_range = *list;
  if (bodies.has_value()) job.bodies_range = *bodies;
  if (!list.has_value() || !bodies.has_value()) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                  "the table segment is full");
  }
  if (list_bytes > 0) {
    std::copy_n(static_cast<const std::byte*>(core_.tables.At(sequence.list.range)), list_bytes,
                static_cast<std::byte*>(core_.tables.At(job.list_range)));
  }
  job.entry = core_.EntryOf(sequence);
  job.entry.block_list_offset = job.list_range.offset;
  job.entry.base_length = job.facts.snapshot_tokens;
  return absl::OkStatus();
}

void Jobs::FillBatch(Job& job, const JobBatch& batch) {
  const auto first_row = static_cast<size_t>(batch.first_row);
  const auto row_count = static_cast<size_t>(batch.row_count);
  job.row_offsets.assign(1, 0);
  job.batch_destinations.assign(1, 0);
  for (size_t i = 0; i < row_count; ++i) {
    job.row_offsets.push_back(job.row_offsets.back() + RoundUp(job.slots[first_row + i], 32));
    job.batch_destinations.push_back(job.destination_offsets[first_row + i + 1] -
                                     job.destination_offsets[first_row]);
  }
  job.rows = {&job.entry, batch.first_row, batch.row_count, job.row_offsets.data()};
  job.segments.clear();
  for (int32_t i = 0; i < batch.segment_count; ++i) {
    const RecipeSegment& from = job.recipe.segments[static_cast<size_t>(batch.first_segment + i)];
    job.segments.push_back({from.first_row - batch.first_row, from.row_count, from.k,
                            from.protect_below_position, from.protect_from_position,
                            from.drop_below_position});
  }
  job.counts.assign(job.segments.size() * row_count, 0);
}

void Jobs::SubmitBatch(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  FillBatch(job, batch);
  job.lane = job.waited ? Lane::kForeground : Lane::kBackground;
  // A copy on write of what it reads may still be under way: that of a step that
  // was undone.
  if (job.lane == Lane::kBackground) {
    core_.backend.After(Lane::kBackground, core_.backend.Submitted(Lane::kForeground));
  }
  auto* scores = reinterpret_cast<float*>(core_.memory.workspace);
  auto* masks = reinterpret_cast<uint32_t*>(scores + job.row_offsets.back());
  const bool scored = job.recipe.scorer == Scorer::kKeyNorm;
  if (scored) core_.backend.Submit(job.lane, KeyNormScoreArgs{job.rows, scores});
  SelectArgs select;
  select.rows = job.rows;
  select.scores = scored ? scores : nullptr;
  select.segments = job.segments.data();
  select.segment_count = static_cast<int32_t>(job.segments.size());
  select.combine = static_cast<RowCombine>(job.recipe.combine);
  select.at_least = job.recipe.at_least;
  select.at_most = job.recipe.at_most;
  select.masks = masks;
  select.counts = job.counts.data();
  core_.backend.Submit(job.lane, select);
  const int64_t first_page = job.destination_offsets[static_cast<size_t>(batch.first_row)];
  CompactArgs compact;
  compact.rows = job.rows;
  compact.masks = masks;
  compact.destination_pages = job.destination_pages.data() + first_page;
  compact.destination_offsets = job.batch_destinations.data();
  compact.destination_format = job.sequence->model->format;
  compact.reused = job.reused.data() + first_page;
  job.ticket = core_.backend.Submit(job.lane, compact);
}

void Jobs::FinishBatch(Job& job) {
  const JobBatch& batch = job.batches[job.next_batch];
  for (size_t segment = 0; segment < job.segments.size(); ++segment) {
    for (int32_t row = 0; row < batch.row_count; ++row) {
      job.kept[static_cast<size_t>(batch.first_row + row)] +=
          job.counts[segment * static_cast<size_t>(batch.row_count) + static_cast<size_t>(row)];
    }
  }
  if (++job.next_batch == job.batches.size()) {
    job.stage = Job::Stage::kReady;
    running_ = nullptr;
  } else if (MayPause(job)) {
    job.stage = Job::Stage::kPaused;
    running_ = nullptr;
  } else {
    SubmitBatch(job);
  }
}

bool Jobs::TryCommit(Job& job) {
  if (job.sequence->step != nullptr || job.sequence->readers > 0) return false;
  const int64_t kept = std::accumulate(job.kept.begin(), job.kept.end(), int64_t{0});
  const int64_t had = std::accumulate(job.slots.begin(), job.slots.end(), int64_t{0});
  if (kept < had) {
    Commit(job);
    return true;
  }
  core_.cache.CancelJob(job.sequence->handle);
  FreeTables(job);
  JobEnd end;
  end.kept_tokens = core_.cache.KeptSlots(job.sequence->handle);
  End(job, JobOutcome::kNothingToEvict, std::move(end));
  return true;
}

void Jobs::Commit(Job& job) {
  SequenceState& sequence = *job.sequence;
  // BytesAlone is O(pages): only for people, and where it may differ from all.
  const bool measured = job.answer != nullptr || core_.cache.MayShare(sequence.handle);
  const int64_t reused_bytes =
      sequence.model->model->page_bytes() *
      std::count_if(job.reused.begin(), job.reused.end(),
                    [](uint32_t page) { return page != kNoPage; });
  const int64_t held_before = core_.cache.HeldBytes(sequence.handle);
  const int64_t alone_before = measured ? core_.cache.BytesAlone(sequence.handle) : 0;
  core_.cache.CommitJob(sequence.handle,
                        ResultOf(job, sequence.model->model->format().page.page_size));
  const Sequence& state = core_.cached(sequence);
  if (state.bodies().has_value()) {
    core_.tables.SetBodies(*state.bodies(), job.bodies_range,
                           core_.cache.BodiesOf(*state.bodies()));
    job.bodies_range = {};
  }
  core_.tables.Assign(sequence.list, state.blocks());
  FreeTables(job);
  CountSlots(sequence);
  JobEnd end;
  end.kept_tokens = core_.cache.KeptSlots(sequence.handle);
  const int64_t given_up = held_before - core_.cache.HeldBytes(sequence.handle);
  end.freed_now_bytes = given_up;
  if (measured && alone_before < held_before) {
    // Pages taken over are not counted alone as long as their blocks are given
    // up in slices; those of others' blocks stay shared and make this too small.
    const int64_t alone = core_.cache.BytesAlone(sequence.handle) + reused_bytes;
    end.freed_now_bytes = std::max<int64_t>(0, alone_before - alone);
  }
  end.freed_later_bytes = std::max<int64_t>(0, given_up - end.freed_now_bytes);
  End(job, JobOutcome::kCommitted, std::move(end));
}

JobReport Jobs::ReportOf(const Job& job, JobOutcome outcome) const {
  JobReport report;
  report.preset = job.policy->spec().preset;
  report.trigger = job.trigger;
  report.outcome = outcome;
  report.snapshot_tokens = job.facts.snapshot_tokens;
  report.duration = core_.now() - job.queued_at;
  if (outcome == JobOutcome::kCommitted) {
    report.kept_slots = std::accumulate(job.kept.begin(), job.kept.end(), int64_t{0});
    report.evicted_slots =
        std::accumulate(job.slots.begin(), job.slots.end(), int64_t{0}) - report.kept_slots;
  }
  return report;
}

void Jobs::End(Job& job, JobOutcome outcome, JobEnd end) {
  SequenceState& sequence = *job.sequence;
  end.report = ReportOf(job, outcome);
  end.report.freed_bytes = end.freed_now_bytes;
  for (EngineTotals* totals : {&core_.totals, &core_.totals_by_preset[end.report.preset]}) {
    ++totals->jobs_by_outcome[static_cast<size_t>(outcome)];
    ++totals->jobs_by_trigger[static_cast<size_t>(job.trigger)][static_cast<size_t>(outcome)];
    totals->kept_slots += end.report.kept_slots;
    totals->evicted_slots += end.report.evicted_slots;
    totals->job_freed_bytes += end.report.freed_bytes;
  }
  sequence.last_job = end.report;
  sequence.job = nullptr;
  job.sequence = nullptr;
  if (job.answer) job.answer(end);
  core_.waiting.Changed();
  const std::optional<int64_t> length_limit = job.length_limit;
  jobs_.remove_if([&](const std::unique_ptr<Job>& other) { return other.get() == &job; });
  // With drafts the triggers come after the next step's rollback.
  if (sequence.draft_tokens == 0) LookAtTriggers(sequence, length_limit);
}

void Jobs::FreeTables(Job& job) {
  core_.tables.Free(std::exchange(job.list_range, {}));
  core_.tables.Free(std::exchange(job.bodies_range, {}));
}

}  // namespace sluice
