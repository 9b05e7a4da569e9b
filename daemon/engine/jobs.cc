// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/jobs.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/observations.h"

namespace sluice {

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
  if (trigger == Trigger::kPrefillEnd && sequence.policy->scorer() == Scorer::kWindow &&
      !KeepsObservations(sequence, Phase::kDecode)) {
    sequence.job->observed_length = length;
  }
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

void Jobs::Cancel(SequenceState& sequence) {
  Job* job = sequence.job;
  if (job == nullptr) return;
  // What its last operation reads of the rings no step may write in place.
  if (job->rings.has_value() && job->stage == Job::Stage::kRunning) {
    core_.cache.HoldBlock(*job->rings);
  } else {
    job->rings.reset();
  }
  if (std::exchange(job->planned, false)) core_.cache.CancelJob(sequence.handle);
  JobEnd end;
  end.status = absl::CancelledError("the sequence was freed or rolled back");
  const auto place = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const auto& other) { return other.get() == job; });
  if (job->runs()) zombies_.push_back(std::move(*place));
  std::unique_ptr<Job> keep = std::move(*place);
  jobs_.erase(place);
  End(*job, JobOutcome::kCancelled, std::move(end));
  if (!job->runs()) FreeTables(*job);
  if (running_ == job && !job->runs()) running_ = nullptr;
}

void Jobs::EndAbove(SequenceState& sequence, int64_t length) {
  // The step may bring other tokens up to the length that was scored.
  DropAhead(sequence);
  Job* const job = sequence.job;
  if (job == nullptr) return;
  if (job->stage == Job::Stage::kQueued || length >= job->read_tokens()) {
    return LimitTo(*job, length);
  }
  if (job->trigger == Trigger::kPrefillEnd) {
    sequence.prefill_end_due = true;
    --sequence.prefill_ends;
  }
  if (job->trigger == Trigger::kEvery) sequence.every_due = true;
  sequence.decoded_tokens += job->decoded_tokens;
  job->length_limit = length;
  Cancel(sequence);
  LookAtTriggers(sequence, length);
  if (sequence.job != nullptr) LimitTo(*sequence.job, length);
}

// Rows and scores that steps change are those of the length at which it starts.
void Jobs::LimitTo(Job& job, int64_t length) const {
  const SequenceState& sequence = *job.sequence;
  if (job.observed_length.has_value()) {
    job.observed_length = std::min(*job.observed_length, length);
  }
  const bool moves_on = core_.cached(sequence).scores().has_value() ||
                        (job.policy->scorer() == Scorer::kWindow &&
                         KeepsObservations(sequence, Phase::kDecode));
  if (moves_on) {
    job.length_limit.reset();
  } else if (job.length_limit.has_value()) {
    job.length_limit = std::min(*job.length_limit, length);
  }
}

bool Jobs::DropPassedZombies() {
  const auto dropped = std::erase_if(zombies_, [this](const std::unique_ptr<Job>& job) {
    if (core_.backend.Completed(job->lane) < job->ticket) return false;
    FreeTables(*job);
    if (job->rings.has_value()) core_.cache.ReleaseBlock(*job->rings);
    if (job->stage == Job::Stage::kGathering) --gathering_;
    if (running_ == job.get()) running_ = nullptr;
    return true;
  });
  if (dropped > 0) core_.waiting.Changed();  // for who waits until nothing reads any more
  return dropped > 0;
}

bool Jobs::CancelledOnesRead() const {
  return std::any_of(zombies_.begin(), zombies_.end(),
                     [this](const std::unique_ptr<Job>& job) {
                       return core_.backend.Completed(job->lane) < job->ticket;
                     }) ||
         std::any_of(ahead_.begin(), ahead_.end(),
                     [this](const std::unique_ptr<ScoresAhead>& ahead) {
                       return ahead->sequence == nullptr && IsUnderWay(*ahead);
                     });
}

bool Jobs::CancelsARead(const SequenceState& sequence, int64_t length) const {
  const Job* const job = sequence.job;
  if (job != nullptr && job->stage == Job::Stage::kRunning && length < job->read_tokens()) {
    return true;
  }
  return sequence.ahead != nullptr && length < sequence.ahead->length_tokens &&
         IsUnderWay(*sequence.ahead);
}

bool Jobs::Pump() {
  bool worked = DropPassedZombies();
  worked = DropPassedAhead() || worked;
  if (running_ != nullptr && running_->sequence != nullptr) {
    Job& job = *running_;
    if (job.stage == Job::Stage::kRunning && core_.backend.Completed(job.lane) >= job.ticket) {
      FinishBatch(job);
      worked = true;
    }
  }
  // Built jobs commit in any order; building needs the workspace.
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    Job& built = **job++;
    if (built.stage == Job::Stage::kReady) {
      worked = TryCommit(built) || worked;
    } else if (built.stage == Job::Stage::kGathering &&
               core_.backend.Completed(built.lane) >= built.ticket) {
      FinishGatherSlice(built);
      worked = true;
    }
  }
  while (running_ == nullptr && !core_.dispatcher.copies_wait() && StartNext()) worked = true;
  return worked;
}

bool Jobs::AnotherIsWaitedFor() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const std::unique_ptr<Job>& other) {
    return other->waited && other->stage == Job::Stage::kQueued;
  });
}

// Scores of its own are in the workspace, which the other one would take.
bool Jobs::MayPause(const Job& job) const {
  return !job.waited && !job.goes_first && !job.owns_scores && AnotherIsWaitedFor();
}

bool Jobs::FinishPausedFirst() {
  bool paused = false;
  for (const auto& job : jobs_) {
    if (job->stage != Job::Stage::kPaused) continue;
    job->goes_first = true;
    paused = true;
  }
  return paused;
}

// The rows of an open step take the place of those that a window's score needs, and its
// attends change accumulated scores.
bool Jobs::MayStart(const Job& job) const {
  if (job.stage == Job::Stage::kPaused) return true;
  const bool reads_what_steps_write = job.policy->scorer() == Scorer::kWindow ||
                                      core_.cached(*job.sequence).scores().has_value();
  return job.stage == Job::Stage::kQueued &&
         (!reads_what_steps_write || job.sequence->step == nullptr);
}

bool Jobs::StartNext() {
  Job* next = nullptr;
  const auto rank = [](const Job& job) {
    return job.goes_first ? 0 : job.waited ? 1 : job.due ? 2 : 3;
  };
  for (const auto& job : jobs_) {
    if (!MayStart(*job)) continue;
    if (next == nullptr || rank(*job) < rank(*next)) next = job.get();
  }
  if (next == nullptr) return false;
  if (next->passes.has_value()) return StartPass(*next);
  if (next->stage == Job::Stage::kQueued) return Start(*next);
  next->stage = Job::Stage::kRunning;
  running_ = next;
  next->counting ? SubmitCount(*next) : SubmitBatch(*next);
  return true;
}

// Where a step came with the trigger it has said what it takes back.
int64_t Jobs::LengthFor(const Job& job) {
  const SequenceState& sequence = *job.sequence;
  const int64_t length = job.length_limit.has_value()
                             ? std::min(*job.length_limit, sequence.cached->length())
                             : sequence.settled_length();
  return std::min(job.observed_length.value_or(length), length);
}

void Jobs::MakeRecipe(Job& job, int64_t length) {
  SequenceState& sequence = *job.sequence;
  job.row_facts.clear();
  job.facts = FactsOf(sequence, *job.policy, length, job.row_facts);
  job.recipe = job.policy->Plan(job.facts);
  job.observed_rows = RowsFor(sequence, job.recipe, length);
  job.counted = false;
  if (job.trigger == Trigger::kEvery || job.trigger == Trigger::kPrefillEnd) {
    const int64_t beyond = core_.cached(sequence).length() - length;
    const int64_t left = std::min(sequence.decoded_tokens, beyond);
    job.decoded_tokens += sequence.decoded_tokens - left;
    sequence.decoded_tokens = left;
  }
}

bool Jobs::Start(Job& job) {
  const int64_t length = LengthFor(job);
  if (!job.counted || job.facts.length_tokens != length ||
      job.observed_rows != RowsFor(*job.sequence, job.recipe, length)) {
    MakeRecipe(job, length);
  }
  if (job.recipe.evicts_nothing) {
    job.dry_run ? EndDryRun(job) : EndBuilt(job, absl::OkStatus());
    return true;
  }
  if (absl::Status rows = CheckRows(job.recipe, job.observed_rows); !rows.ok()) {
    EndBuilt(job, std::move(rows));
    return true;
  }
  if (job.recipe.count_segments.empty() && !HasPagesForWhole(job)) {
    return WaitOrDivide(job);
  }
  if (CopiesScores(job)) {
    if (absl::Status started = StartCopy(job); !started.ok()) EndBuilt(job, std::move(started));
  } else {
    // What it selects by are the scores as they are now: no step may come between.
    job.due = job.due || job.recipe.scorer == Scorer::kAccumulated;
    StartRecipe(job);
  }
  return true;
}

void Jobs::StartRecipe(Job& job) {
  if (!job.recipe.count_segments.empty()) return StartCount(job);
  if (absl::Status built = Build(job, WholePass(job)); !built.ok()) {
    EndBuilt(job, std::move(built));
  }
}

JobPass Jobs::WholePass(const Job& job) const {
  return {job.facts.snapshot_tokens, /*selects=*/true, 0,
          static_cast<int32_t>(job.recipe.segments.size())};
}

int64_t Jobs::PagesOfWhole(Job& job) const {
  const JobPass whole = WholePass(job);
  const HeldRows held = HeldOf(*job.sequence);
  std::vector<int64_t> slots;
  for (size_t row = 0; row < held.body_slots.size(); ++row) {
    slots.push_back(held.SlotsBelow(row, whole.snapshot_tokens));
  }
  job.had_slots = std::accumulate(slots.begin(), slots.end(), int64_t{0});
  return DestinationOffsets(job.recipe, whole, slots, held.page_size).back();
}

// A job whose pages are missing waits for those that hold some and can go on, and
// for what is on its way back; then it goes by passes. False: it waits.
bool Jobs::WaitOrDivide(Job& job) {
  if (FinishPausedFirst()) return true;
  if (!job.coming.has_value()) job.coming.emplace(core_);
  if (job.coming->SomeStillComes(core_)) return false;
  job.passes.emplace(job.recipe, job.facts.snapshot_tokens);
  job.goes_first = true;
  job.due = true;
  return StartPass(job);
}

// False: it waits for what its last pass gave up, or for what else is on its way
// back where no pass fits.
bool Jobs::StartPass(Job& job) {
  if (job.coming->SomeIsQueued(core_)) return false;
  const SequenceState& sequence = *job.sequence;
  const HeldRows held = HeldOf(sequence);
  if (job.passes->Done(held)) {
    EndBuilt(job, absl::OkStatus());
    return true;
  }
  const std::optional<JobPass> pass =
      job.passes->Next(held, AvailablePages(job));
  if (!pass.has_value() && job.coming->SomeStillComes(core_)) return false;
  absl::Status built =
      pass.has_value()
          ? Build(job, *pass)
          : Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                   "the pages that the job writes do not fit, not even those of one head");
  if (!built.ok()) EndBuilt(job, std::move(built));
  return true;
}

}  // namespace sluice
