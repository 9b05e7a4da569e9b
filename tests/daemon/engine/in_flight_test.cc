// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What happens while operations are under way: lanes are held by the test.

#include "tests/daemon/engine/refusal_matcher.h"
#include "gtest/gtest.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

PolicySpec WhenReady(PolicySpec policy) {
  policy.visible = Visible::kWhenReady;
  return policy;
}

class InFlightTest : public ::testing::Test {
 protected:
  TestSequence Filled(int64_t tokens, PolicySpec policy = {}, CreateSequence more = {}) {
    TestSequence sequence = driver_->Create(model_, std::move(policy), more);
    EXPECT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, tokens, false)}).ok());
    return sequence;
  }
  Answer<Compressed> SendCompress(const TestSequence& sequence, int64_t budget) {
    Compress compress;
    compress.sequence = sequence.id;
    compress.policy = golden::L2Count(budget);
    return driver_->Send(compress);
  }
  // Starts a job that is not waited for, and holds it.
  TestSequence WithHeldJob(int64_t tokens, PolicySpec policy, CreateSequence more = {}) {
    TestSequence sequence = Filled(tokens, WhenReady(std::move(policy)), more);
    gate_->Hold(Lane::kBackground);
    EXPECT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 1)}).ok());
    gate_->AwaitWaiting(Lane::kBackground, 1);
    return sequence;
  }
  // A sequence whose job, which is not waited for, takes several batches; the first is held.
  TestSequence WithJobUnderWay(PolicySpec policy) {
    TestSequence sequence = driver_->Create(model_, WhenReady(std::move(policy)));
    gate_->Hold(Lane::kBackground);
    EXPECT_TRUE(AppendStep(*driver_, model_, Prefill(sequence, 17000)).ok());
    gate_->AwaitWaiting(Lane::kBackground, 1);
    return sequence;
  }
  // Lets the batch under way pass, and holds the waited-for job that goes ahead.
  void HoldItBeforeThePausedJob() {
    driver_->Status();
    gate_->Hold(Lane::kForeground);
    gate_->Open(Lane::kBackground);
    gate_->AwaitWaiting(Lane::kForeground, 1);
  }
  void ExpectNothingLeft() {
    gate_->Open(Lane::kBackground);
    const EngineStatus status = driver_->Settled();
    EXPECT_EQ(status.pool.in_use, 0);
    EXPECT_EQ(status.table_used_bytes, 0);
  }

  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  std::unique_ptr<EngineDriver> driver_ = EngineDriver::Gated(gate_);
  TestModel model_ = driver_->Register();
};

TEST_F(InFlightTest, AnAbortWaitsForTheRunningCallAndDropsTheOthers) {
  TestSequence sequence = Filled(5);
  const auto begun = driver_->Begin({Decode(sequence)});
  gate_->Hold(Lane::kForeground);
  const std::vector<int64_t> tags = driver_->NewTags(1);
  const auto running = SendAttend(*driver_, model_, begun->step, 0, tags);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  const auto queued = SendAttend(*driver_, model_, begun->step, 1, tags);
  EndStep end;
  end.step = begun->step;
  end.abort = true;
  const auto aborted = driver_->Send(end);
  EXPECT_EQ(queued.Wait().status().code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(running.ready() || aborted.ready());
  gate_->Open(Lane::kForeground);
  EXPECT_EQ(running.Wait().status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(aborted.Wait().ok());
  EXPECT_EQ(NamedDifference(*driver_, model_, sequence, 5), "");
}

TEST_F(InFlightTest, AStepWithACallUnderWayIsNotUndoneForItsAge) {
  TestSequence sequence = Filled(5);
  const auto begun = driver_->Begin({Decode(sequence)});
  gate_->Hold(Lane::kForeground);
  const std::vector<int64_t> tags = driver_->NewTags(1);
  const auto running = SendAttend(*driver_, model_, begun->step, 0, tags);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  driver_->Advance(absl::Seconds(61));
  EXPECT_EQ(driver_->Status().totals.undone_steps, 0);
  driver_->Advance(absl::Seconds(30));
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(running.Wait().ok());
  driver_->Advance(absl::Seconds(59));  // its limit began anew when the call ended
  EXPECT_EQ(driver_->Status().open_steps, 1);
  driver_->Advance(absl::Seconds(2));
  EXPECT_EQ(driver_->Status().open_steps, 0);
}

TEST_F(InFlightTest, ASequenceIsFreedOnceItsReadersAreThrough) {
  TestSequence sequence = Filled(20);
  gate_->Hold(Lane::kForeground);
  Attend attend;
  attend.sequences = {{sequence.id, 1}};
  const LayerTensors tensors(model_.geometry, 0, {sequence.tags.back()});
  attend.q = tensors.q.ref();
  const auto reading = driver_->Send(attend);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  ASSERT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(driver_->Status().sequences, 1);
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(reading.Wait().ok());
  ExpectNothingLeft();
}

TEST_F(InFlightTest, AReaderThatEndsDuringAStepDoesNotFreeTheSequence) {
  TestSequence sequence = Filled(20);
  const auto begun = driver_->Begin({Decode(sequence)});
  ASSERT_TRUE(begun.ok());
  gate_->Hold(Lane::kForeground);
  ExplainSequence explain;
  explain.sequence = sequence.id;
  const auto reading = driver_->Send(explain);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  ASSERT_TRUE(driver_->Free(sequence).ok());
  gate_->Open(Lane::kForeground);
  EXPECT_EQ(reading.Wait()->kept_positions.size(), 20u);
  EXPECT_EQ(driver_->Status().sequences, 1);
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  ExpectNothingLeft();
}

TEST_F(InFlightTest, FreeingASequenceEndsItsJob) {
  TestSequence sequence = Filled(100);
  gate_->Hold(Lane::kForeground);
  const auto compressed = SendCompress(sequence, 10);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  ASSERT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(compressed.Wait().status().code(), absl::StatusCode::kCancelled);
  // Others take what it gave up, while its operations still wait.
  TestSequence other = driver_->Create(model_);
  const auto begun = driver_->Begin({Prefill(other, 3)});
  ASSERT_TRUE(begun.ok());
  gate_->Open(Lane::kForeground);
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  ASSERT_TRUE(driver_->Free(other).ok());
  ExpectNothingLeft();
}

TEST_F(InFlightTest, AStepWaitsForADueJob) {
  PolicySpec policy = golden::L2Count(10);
  TestSequence sequence = Filled(40, policy);
  gate_->Hold(Lane::kBackground);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 1)}).ok());
  gate_->AwaitWaiting(Lane::kBackground, 1);
  BeginStep begin;
  begin.entries = {Decode(sequence).ToEntry()};
  const auto waiting = driver_->Send(begin);
  Attend attend;
  attend.sequences = {{sequence.id, 1}};
  const LayerTensors tensors(model_.geometry, 0, {sequence.tags.back()});
  attend.q = tensors.q.ref();
  attend.want_lse = true;
  const auto named = driver_->Send(attend);
  driver_->Status();
  EXPECT_FALSE(waiting.ready());
  EXPECT_FALSE(named.ready());
  gate_->Open(Lane::kBackground);
  EXPECT_EQ(waiting.Wait()->entries[0].rollback_floor, 41);
}

TEST_F(InFlightTest, LeaveOutNamesWhoWaitsForAJob) {
  TestSequence sequence = Filled(40, golden::L2Count(10)), other = Filled(5);
  gate_->Hold(Lane::kBackground);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 1)}).ok());
  gate_->AwaitWaiting(Lane::kBackground, 1);
  BeginStep begin;
  begin.leave_out = true;
  EXPECT_FALSE(driver_->Begin({Decode(sequence)}, begin).ok());
  const auto begun = driver_->Begin({Decode(sequence), Decode(other)}, begin);
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->entries[0].sequence, other.id);
  EXPECT_EQ(begun->left_out.at(0).reason, Reason::kJobDue);
}

TEST_F(InFlightTest, AJobThatIsNotDueIsNotWaitedFor) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  const auto outcome = RunStep(*driver_, model_, {Decode(sequence, 20)});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(StepDifference(model_, *outcome, sequence, 20), "");
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 30u);
  EXPECT_EQ(NamedDifference(*driver_, model_, sequence, 1, driver_->HeldRows(model_, sequence)),
            "");
}

TEST_F(InFlightTest, ARollbackAboveTheSnapshotLeavesTheJobAlone) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 20)}).ok());
  StepPart part = Decode(sequence, 2);
  part.rollback_to = 45;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 16u);
  EXPECT_EQ(NamedDifference(*driver_, model_, sequence, 2, driver_->HeldRows(model_, sequence)),
            "");
}

TEST_F(InFlightTest, AJobThatARollbackBelowTheSnapshotEndsRunsAgain) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  StepPart part = Decode(sequence, 2);
  part.rollback_to = 30;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  EXPECT_EQ(driver_->Status().totals.JobsThatEnded(JobOutcome::kCancelled), 1);
  EXPECT_EQ(NamedDifference(*driver_, model_, sequence, 32), "");
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  // Of the 30 that were left, and what the step added.
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 12u);
  EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCommitted);
  EXPECT_EQ(driver_->Info(sequence)->last_job->trigger, Trigger::kPrefillEnd);
}

TEST_F(InFlightTest, AnIntervalsJobThatARollbackEndsRunsAgainIfItsTokensAreLeft) {
  PolicySpec policy = golden::L2Count(10);
  policy.triggers = TriggerSpec{.every_tokens = 4, .hysteresis_tokens = 0};
  for (const int64_t rolled_back_to : {45, 42}) {
    TestSequence sequence = Filled(40, WhenReady(policy));
    gate_->Hold(Lane::kBackground);
    ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 6)}).ok());
    gate_->AwaitWaiting(Lane::kBackground, 1);
    StepPart part = Decode(sequence, 1);
    part.rollback_to = rolled_back_to;
    ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
    gate_->Open(Lane::kBackground);
    driver_->Settled();
    EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), rolled_back_to == 45 ? 11u : 43u);
  }
}

TEST_F(InFlightTest, AStepTakesNoPageThatACancelledJobMayStillRead) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  StepPart part = Decode(sequence, 30);
  part.rollback_to = 10;
  const auto begun = driver_->Begin({part});
  ASSERT_TRUE(begun.ok()) << begun.status();
  const PoolBytes pool =
      driver_->StatusOnce([](const EngineStatus& status) { return !status.giving_back; }).pool;
  // What it dropped, and what the job had reserved.
  EXPECT_EQ(pool.retired, (2 + 1) * model_.block_bytes);
  EXPECT_EQ(pool.in_use, 3 * model_.block_bytes);
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  ASSERT_TRUE(driver_->Free(sequence).ok());
  ExpectNothingLeft();
}

TEST_F(InFlightTest, AStepTakesThePagesThatItsRollbackDrops) {
  TestSequence sequence = Filled(40);
  gate_->Hold(Lane::kBackground);
  StepPart part = Decode(sequence, 30);
  part.rollback_to = 10;
  ASSERT_TRUE(driver_->Begin({part}).ok());
  const PoolBytes pool = driver_->Status().pool;
  EXPECT_EQ(pool.retired, 0);
  EXPECT_EQ(pool.in_use, 3 * model_.block_bytes);
}

TEST_F(InFlightTest, ForksAndPoliciesWaitForTheJob) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  ForkSequences fork;
  fork.parents = {sequence.id};
  const auto forked = driver_->Send(fork);
  SetPolicy set;
  set.sequence = sequence.id;
  const auto policy = driver_->Send(set);
  driver_->Status();
  EXPECT_FALSE(forked.ready() || policy.ready());
  gate_->Open(Lane::kBackground);
  ASSERT_TRUE(forked.Wait().ok());
  EXPECT_TRUE(policy.Wait().ok());
  EXPECT_EQ(driver_->Held({forked.Wait()->front(), {}}, 0, 0).size(), 10u);
}

TEST_F(InFlightTest, ASequenceThatWaitsForItsJobDoesNotRunOut) {
  CreateSequence create;
  create.lease = absl::Seconds(1);
  const TestSequence parent = WithHeldJob(40, golden::L2Count(10), create);
  TestSequence sequence = Filled(40, golden::L2Count(10), create);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 1)}).ok());
  ForkSequences fork;
  fork.parents = {parent.id};
  BeginStep begin;
  begin.entries = {Decode(sequence).ToEntry()};
  const auto forked = driver_->Send(fork);
  const auto begun = driver_->Send(begin);
  driver_->Status();
  for (int i = 0; i < 3; ++i) driver_->Advance(absl::Seconds(2));
  gate_->Open(Lane::kBackground);
  EXPECT_TRUE(forked.Wait().ok()) << forked.Wait().status();
  EXPECT_TRUE(begun.Wait().ok()) << begun.Wait().status();
  driver_->Advance(absl::Seconds(2));
  EXPECT_THAT(driver_->Info(parent), RefusedFor(Reason::kUnknownSequence));
}

TEST_F(InFlightTest, ASequenceThatIsCompressedDoesNotRunOut) {
  CreateSequence create;
  create.lease = absl::Seconds(1);
  const TestSequence filled = Filled(40, {}, create);
  gate_->Hold(Lane::kForeground);
  const auto running = SendCompress(filled, 10), waiting = SendCompress(filled, 5);
  SetPolicy set;
  set.sequence = filled.id;
  const auto policy = driver_->Send(set);
  driver_->Status();
  for (int i = 0; i < 3; ++i) driver_->Advance(absl::Seconds(2));
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(running.Wait().ok()) << running.Wait().status();
  EXPECT_TRUE(waiting.Wait().ok()) << waiting.Wait().status();
  EXPECT_TRUE(policy.Wait().ok()) << policy.Wait().status();
}

TEST_F(InFlightTest, WhoWaitsForAJobEndsWithItsTimeLimit) {
  const TestSequence held = WithHeldJob(40, golden::L2Count(10));
  TestSequence due = Filled(40, golden::L2Count(10));
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(due, 1)}).ok());
  const auto limited = [this](auto command) {
    command.time_limit = absl::Seconds(30);
    command.max_wait = absl::Minutes(5);
    return driver_->Send(command);
  };
  BeginStep begin;
  begin.entries = {Decode(due).ToEntry()};
  ForkSequences fork;
  fork.parents = {held.id};
  SetPolicy policy;
  Compress compress;
  policy.sequence = compress.sequence = held.id;
  const auto begun = limited(begin);
  const auto forked = limited(fork);
  const auto set = limited(policy);
  const auto compressed = limited(compress);
  driver_->Status();
  driver_->Advance(absl::Seconds(29));
  EXPECT_FALSE(begun.ready() || forked.ready() || set.ready() || compressed.ready());
  driver_->Advance(absl::Seconds(1));
  constexpr auto kLate = absl::StatusCode::kDeadlineExceeded;
  EXPECT_EQ(begun.Wait().status().code(), kLate);
  EXPECT_EQ(forked.Wait().status().code(), kLate);
  EXPECT_EQ(set.Wait().status().code(), kLate);
  EXPECT_EQ(compressed.Wait().status().code(), kLate);
}

TEST_F(InFlightTest, AWaitedJobGoesAheadBetweenTwoBatches) {
  TestSequence other = Filled(40);
  TestSequence large = WithJobUnderWay(golden::L2Count(10));
  const auto compressed = SendCompress(other, 10);
  HoldItBeforeThePausedJob();
  EXPECT_EQ(driver_->Status().running_jobs, 2);
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(compressed.Wait().ok());
  const EngineStatus status = driver_->Settled();
  const auto committed = static_cast<size_t>(JobOutcome::kCommitted);
  EXPECT_EQ(status.totals.jobs_by_trigger[static_cast<size_t>(Trigger::kRequest)][committed], 1);
  EXPECT_EQ(status.totals.jobs_by_trigger[static_cast<size_t>(Trigger::kPrefillEnd)][committed],
            1);
  for (int32_t row = 0; row < 4; ++row) {
    EXPECT_EQ(driver_->Held(large, row / 2, row % 2).size(), 10u) << row;
  }
}

TEST_F(InFlightTest, APausedJobEndsWithItsSequence) {
  TestSequence other = Filled(40);
  TestSequence large = WithJobUnderWay(golden::L2Count(10));
  const auto compressed = SendCompress(other, 10);
  HoldItBeforeThePausedJob();
  ASSERT_TRUE(driver_->Free(large).ok());
  EXPECT_EQ(driver_->Status().running_jobs, 1);
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(compressed.Wait().ok());
  ASSERT_TRUE(driver_->Free(other).ok());
  ExpectNothingLeft();
}

TEST_F(InFlightTest, APausedJobEndsFirstWhereItsPagesAreMissing) {
  TestSequence other = driver_->Create(model_), filler = driver_->Create(model_);
  ASSERT_TRUE(AppendStep(*driver_, model_, Prefill(other, 4000, false)).ok());
  TestSequence large = WithJobUnderWay(golden::L2Count(8000));
  // 244 blocks' pages are what the other's job takes.
  const int64_t free_blocks = driver_->Status().pool.free / model_.block_bytes;
  const auto filled = driver_->Begin({Prefill(filler, 16 * (free_blocks - 200))});
  ASSERT_TRUE(filled.ok()) << filled.status();
  gate_->Hold(Lane::kForeground);
  const auto compressed = SendCompress(other, 3900);
  driver_->Status();
  gate_->Open(Lane::kBackground);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  const auto first = driver_->Info(large)->last_job;
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->outcome, JobOutcome::kCommitted);
  EXPECT_FALSE(compressed.ready());
  constexpr size_t kSelectKind = 3;  // in Operation
  const int64_t selects = gate_->SubmittedOfKind(kSelectKind);
  gate_->Open(Lane::kForeground);
  const auto done = compressed.Wait();
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->kept_tokens, std::vector<int64_t>(4, 3900));
  EXPECT_EQ(gate_->SubmittedOfKind(kSelectKind), selects);  // it goes whole, not by passes
  EXPECT_EQ(driver_->Held(large, 1, 1).size(), 8000u);
}

TEST_F(InFlightTest, AJobsEndDoesNotLookAtTriggersThatADraftMayTakeBack) {
  CreateSequence more;
  more.draft_tokens = 2;
  TestSequence sequence =
      Filled(40, WhenReady(golden::EveryToken(golden::L2Count(10))), more);
  gate_->Hold(Lane::kBackground);
  ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 2)}).ok());  // ends the prefill
  ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 2)}).ok());
  gate_->Open(Lane::kBackground);
  EXPECT_EQ(driver_->Settled().totals.JobsThatEnded(JobOutcome::kCommitted), 1);
}

TEST_F(InFlightTest, AJobAfterAnUndoneStepReadsTheCopyOnceItIsThere) {
  TestSequence sequence = Filled(40);
  const auto child = driver_->Fork(sequence);
  gate_->Hold(Lane::kForeground);
  const auto begun = driver_->Begin({Decode(sequence)});
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  SetPolicy set;
  set.sequence = sequence.id;
  set.policy = WhenReady(golden::L2Count(10));
  ASSERT_TRUE(driver_->Call(set).ok());
  gate_->Hold(Lane::kBackground);
  const auto compressed = SendCompress(sequence, 10);
  driver_->Status();
  gate_->Open(Lane::kBackground);
  gate_->Open(Lane::kForeground);
  ASSERT_TRUE(compressed.Wait().ok());
  EXPECT_EQ(NamedDifference(*driver_, model_, sequence, 1, driver_->HeldRows(model_, sequence)),
            "");
}

TEST_F(InFlightTest, ManyCopiesOnWriteDoNotOverrunTheLane) {
  const TestSequence parent = Filled(5);
  ForkSequences fork;
  fork.parents.assign(1500, parent.id);
  const auto made = driver_->Call(fork);
  ASSERT_TRUE(made.ok()) << made.status();
  gate_->Hold(Lane::kForeground);
  BeginStep begin;
  for (const uint64_t id : *made) begin.entries.push_back({id, 5, 1, Phase::kDecode});
  const auto begun = driver_->Call(begin);
  ASSERT_TRUE(begun.ok()) << begun.status();
  gate_->Open(Lane::kForeground);
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  TestSequence last{made->back(), parent.tags};
  EXPECT_EQ(NamedDifference(*driver_, model_, last, 5), "");
  EXPECT_LT(gate_->MostUnderWay(Lane::kForeground), Backend::kLaneCapacity);
}

TEST_F(InFlightTest, TheEngineEndsWithCallsAndJobsUnderWay) {
  TestSequence sequence = WithHeldJob(40, golden::L2Count(10));
  TestSequence other = Filled(30);
  const auto begun = driver_->Begin({Decode(other)});
  gate_->Hold(Lane::kForeground);
  const auto running = SendAttend(*driver_, model_, begun->step, 0, driver_->NewTags(1));
  gate_->AwaitWaiting(Lane::kForeground, 1);
  SetPolicy set;
  set.sequence = other.id;
  set.max_wait = absl::InfiniteDuration();
  const auto policy = driver_->Send(set);
  driver_->DestroyEngine();
  EXPECT_EQ(running.count(), 1);
  EXPECT_THAT(policy.Wait(), RefusedFor(Reason::kDraining));
}

TEST_F(InFlightTest, TokensThatARollbackTakesBackTriggerNothing) {
  PolicySpec policy = golden::L2Count(10);
  policy.triggers = TriggerSpec{.prefill_end = true, .every_tokens = 4};
  policy.triggers->hysteresis_tokens = 0;
  TestSequence sequence = WithHeldJob(40, policy);
  ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 4)}).ok());
  StepPart part = Decode(sequence, 1);
  part.rollback_to = 30;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  // The prefill's end fires again, the interval does not.
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 11u);
  EXPECT_EQ(driver_->Info(sequence)->last_job->trigger, Trigger::kPrefillEnd);
}

}  // namespace
}  // namespace sluice
