// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/engine/core.h"
#include "daemon/engine/job.h"
#include "daemon/engine/scores_ahead.h"

namespace sluice {

// Looks at triggers and runs jobs: one at a time over the workspace, those
// that a step waits for first, then in the order in which they came. Between two
// batches a job that nobody waits for makes way for one that is waited for; where
// the pages that it holds are missing then, it ends first. A job that does not fit
// waits for what is on its way back to the pool, and then goes by passes, before
// all others and with its sequence's steps waiting (job_passes.h).
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class Jobs {
 public:
  explicit Jobs(Core& core) : core_(core) {}

  // Looks at what the closed steps of `sequence` triggered, and queues a job if
  // the policy acts. A trigger that meets a job waits for its end. `length_limit`:
  // the step that asks will roll back to this length.
  void LookAtTriggers(SequenceState& sequence,
                      std::optional<int64_t> length_limit = std::nullopt);

  // Queues a job now, whatever the triggers say; `answer` is called at its end.
  // REQUIRES: the sequence has no job.
  void Request(SequenceState& sequence, PolicyPtr policy,
               std::function<void(const JobEnd&)> answer);

  // Queues a job that no step waits for, because the pool is short of memory.
  // REQUIRES: the sequence has no job.
  void RequestUnderPressure(SequenceState& sequence, PolicyPtr policy) {
    Queue(sequence, Trigger::kPressure, std::move(policy), /*due=*/false, {});
  }

  // What a job of `policy` would start from, were the sequence `length` long;
  // `rows` are the rows that it names.
  JobFacts FactsOf(const SequenceState& sequence, const Policy& policy, int64_t length,
                   std::vector<RowFacts>& rows) const;

  // What a job of `policy` would keep of each row. `answer` is called now or, where
  // that depends on scores, at the end of a job that commits nothing.
  // REQUIRES: the sequence has no job.
  void DryRun(SequenceState& sequence, PolicyPtr policy,
              std::function<void(const JobEnd&)> answer);

  // The same from counts alone; nothing where it depends on scores.
  std::optional<JobEnd> Foresee(const SequenceState& sequence, const Policy& policy) const;

  // Ends the sequence's job, if there is one, without effect.
  void Cancel(SequenceState& sequence);

  // A step begins at `length`, by a rollback if that is below the sequence's: ends a job
  // that works on what lies beyond. What triggered it is looked at again, as if the
  // sequence were rolled back already. What was scored ahead for it is given up.
  void EndAbove(SequenceState& sequence, int64_t length);

  // Whether a step that rolls back to `length` makes an operation under way one of those
  // that nobody waits for.
  bool CancelsARead(const SequenceState& sequence, int64_t length) const;

  // A step is open: takes the memory to score some of its entries by the time it closes.
  // One that finds none is scored by its job.
  void PrepareAhead(const StepState& step);
  // The step is through with a layer, and will not close by that.
  void ScoreAhead(const StepState& step, const LayerShape& layer);
  // Gives up what was computed, or is going to be.
  void DropAhead(SequenceState& sequence);

  // Says that a step waits for the sequence's job.
  void Hurry(SequenceState& sequence) {
    if (sequence.job != nullptr) sequence.job->waited = true;
  }

  // The most slots of a row, as the policy counts them, was counted now.
  void CountSlots(SequenceState& sequence);

  // Goes on with what passed. True if anything moved.
  bool Pump();

  // Whether operations of cancelled jobs, or those that scored ahead in vain, may still
  // read what their sequences drop.
  bool CancelledOnesRead() const;

  int64_t count() const { return static_cast<int64_t>(jobs_.size()); }

 private:
  bool Acts(SequenceState& sequence, Trigger trigger, int64_t length);
  void Queue(SequenceState& sequence, Trigger trigger, PolicyPtr policy, bool due,
             std::function<void(const JobEnd&)> answer);
  void LimitTo(Job& job, int64_t length) const;
  bool DropPassedZombies();
  // Each: false if nothing moved.
  bool StartNext();
  bool MayStart(const Job& job) const;
  bool Start(Job& job);
  // How long the sequence is as far as the job goes.
  static int64_t LengthFor(const Job& job);
  void MakeRecipe(Job& job, int64_t length);
  // The pass over all that the recipe is to do, and the pages that it writes at most.
  JobPass WholePass(const Job& job) const;
  int64_t PagesOfWhole(Job& job) const;
  bool StartPass(Job& job);
  bool WaitOrDivide(Job& job);
  bool PrepareAhead(SequenceState& sequence, int64_t token_count);
  bool TakeAhead(ScoresAhead& ahead);
  // Rows of the job whose scores were computed ahead, from its first.
  int32_t RowsAhead(const Job& job) const;
  void SubmitCopiesOfAhead(Job& job, int32_t row_count);
  bool DropPassedAhead();
  bool IsUnderWay(const ScoresAhead& ahead) const;
  // Starts what the recipe says, once it has what it selects by.
  void StartRecipe(Job& job);
  // Whether a queued job is waited for.
  bool AnotherIsWaitedFor() const;
  // True if a job that is waited for has to come between two batches of `job`.
  bool MayPause(const Job& job) const;
  // Lets the paused jobs go before all others. False if there is none.
  bool FinishPausedFirst();
  HeldRows HeldOf(const SequenceState& sequence) const;
  // What a job of that recipe would report.
  JobEnd Estimate(const SequenceState& sequence, const JobFacts& facts,
                  const JobRecipe& recipe) const;
  void EndDryRun(Job& job);

  // What the job reads is held for it from here on until ReleasePlan or its commit.
  absl::Status Plan(Job& job, int64_t snapshot);
  void ReleasePlan(Job& job);
  // How many of the rows that the recipe's window wants there are.
  int64_t RowsFor(const SequenceState& sequence, const JobRecipe& recipe, int64_t length) const;
  // FAILED_PRECONDITION (POLICY_NEEDS) if the recipe needs some and there are none.
  absl::Status CheckRows(const JobRecipe& recipe, int64_t observed_rows) const;
  // Says so where the window is not full.
  static std::string FewRows(const JobRecipe& recipe, int64_t observed_rows);
  std::vector<int64_t> ScoreFlops(const Job& job) const;
  // Submits the scores of rows of the batch: `first_row` counts from its first.
  void SubmitScores(Job& job, int32_t first_row, int32_t row_count, float* scores);
  void SubmitAccumulated(Job& job, const LayerShape& layer, int32_t first_row, int32_t row_count,
                         float* scores);
  // Without rows, length and scores.
  WindowScoreArgs WindowArgs(const SequenceState& sequence, const WindowScore& rule,
                             const LayerShape& layer, BlockId rings) const;
  void SubmitWindowScore(Job& job, const LayerShape& layer, int32_t first_row, int32_t row_count,
                         float* scores);
  void ChooseLane(Job& job, int64_t flops);

  // Counts before budgets are known: a batch of rows at a time, scored in slices.
  void StartCount(Job& job);
  void SubmitCount(Job& job);
  void SubmitCountSlice(Job& job);
  void FinishCount(Job& job);
  void TakeCounts(Job& job);
  void EndCount(Job& job);

  // Starts to build a pass; a refusal changes nothing.
  absl::Status Build(Job& job, const JobPass& pass);
  absl::Status Reserve(Job& job);
  void ReserveMasks(Job& job) const;
  // Copies the accumulated scores that a job which is not due selects by, a slice at a time.
  bool CopiesScores(const Job& job) const;
  absl::Status StartCopy(Job& job);
  void SubmitCopySlice(Job& job);
  void FinishCopySlice(Job& job);
  // What AllocateJobPages would grant at most beside the scores of a body of at most
  // `body_pages`; absent: of all that there is now.
  int64_t AvailablePages(const Job& job,
                         std::optional<int64_t> body_pages = std::nullopt) const;
  bool HasPagesForWhole(Job& job) const;
  // Gathers the scores of what stays, where there are some and the job commits, and then
  // commits.
  bool GathersScores(const Job& job) const;
  bool StartGather(Job& job);
  void SubmitGatherSlice(Job& job);
  void FinishGatherSlice(Job& job);
  absl::Status ReservePages(Job& job);
  int64_t PagesLeftAlone(const Job& job) const;
  absl::Status ReserveTables(Job& job);
  void SubmitBatch(Job& job);
  const uint32_t* SubmitSelection(Job& job);
  // `from`: the segments that the batch's are of.
  void FillBatch(Job& job, const JobBatch& batch, const std::vector<RecipeSegment>& from);
  void FinishBatch(Job& job);
  void EndBatches(Job& job);
  bool TryCommit(Job& job);
  void FinishPass(Job& job);
  void Commit(Job& job);
  void EndBuilt(Job& job, absl::Status status);
  void CountFreed(const Job& job, JobEnd& end) const;
  void End(Job& job, JobOutcome outcome, JobEnd end);
  void FreeTables(Job& job);
  JobReport ReportOf(const Job& job, JobOutcome outcome) const;
  void Count(const Job& job, const JobReport& report);

  Core& core_;
  std::list<std::unique_ptr<Job>> jobs_;     // queued, running, paused and built ones
  std::list<std::unique_ptr<Job>> zombies_;  // cancelled with an operation under way
  Job* running_ = nullptr;
  int64_t gathering_ = 0;  // jobs with a slice of a gather in the foreground lane
  std::list<std::unique_ptr<ScoresAhead>> ahead_;
};

}  // namespace sluice
