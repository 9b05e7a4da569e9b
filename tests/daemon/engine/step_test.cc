// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// How steps open, close, are refused and undone.

#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"

namespace sluice {
namespace {

using StepTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(StepTest);

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class OneSequence {
 public:
  explicit OneSequence(TestBackend backend, int64_t tokens = 0)
      : driver(MakeDriver(backend)), model(driver->Register()), sequence(driver->Create(model)) {
    if (tokens == 0) return;
    EXPECT_TRUE(RunStep(*driver, model, {Prefill(sequence, tokens)}).ok());
  }
  int64_t length() { return driver->Info(sequence)->length; }

  std::unique_ptr<EngineDriver> driver;
  TestModel model;
  TestSequence sequence;
};

TEST_P(StepTest, ClosesWithTheLastLayersAttendOnly) {
  OneSequence one(GetParam());
  const auto begun = one.driver->Begin({Prefill(one.sequence, 2)});
  const std::vector<int64_t> tags = one.driver->NewTags(2);
  EXPECT_FALSE(SendAttend(*one.driver, one.model, begun->step, 1, tags).Wait()->step_closed);
  EXPECT_EQ(one.length(), 0);
  EXPECT_EQ(one.driver->Info(one.sequence)->open_step, begun->step);
  EXPECT_TRUE(SendAttend(*one.driver, one.model, begun->step, 0, tags).Wait()->step_closed);
  EXPECT_EQ(one.length(), 2);
  EXPECT_EQ(one.driver->Info(one.sequence)->open_step, 0u);
}

TEST_P(StepTest, AnAppendDoesNotCloseAStepThatAttends) {
  OneSequence one(GetParam());
  const auto begun = one.driver->Begin({Prefill(one.sequence, 2)});
  const std::vector<int64_t> tags = one.driver->NewTags(2);
  Append append;
  append.step = begun->step;
  EXPECT_FALSE(SendAppend(*one.driver, one.model, append, tags).Wait()->step_closed);
  const auto repeated = SendAttend(*one.driver, one.model, begun->step, 0, tags).Wait();
  EXPECT_THAT(repeated, RefusedFor(Reason::kRangeRepeated));
  EXPECT_EQ(repeated.status().code(), absl::StatusCode::kAborted);
}

TEST_P(StepTest, AppendOnlyClosesWithTheLastLayersTokens) {
  OneSequence one(GetParam());
  BeginStep begin;
  begin.append_only = true;
  const auto begun = one.driver->Begin({Prefill(one.sequence, 3)}, begin);
  const std::vector<int64_t> tags = one.driver->NewTags(3);
  const auto attend = SendAttend(*one.driver, one.model, begun->step, 0, tags).Wait();
  EXPECT_EQ(attend.status().code(), kPrecondition);
  Append append;
  append.step = begun->step;
  EXPECT_TRUE(SendAppend(*one.driver, one.model, append, tags).Wait()->step_closed);
  EXPECT_EQ(one.length(), 3);
}

TEST_P(StepTest, ASecondStepIsRefusedNamingTheOpenOne) {
  OneSequence one(GetParam(), 4);
  const auto begun = one.driver->Begin({Decode(one.sequence)});
  const auto second = one.driver->Begin({Decode(one.sequence)});
  EXPECT_THAT(second, Refused(kPrecondition, Reason::kStepOpen, "entries[0].sequence_id"));
  EXPECT_EQ(DetailsOf(second.status()).open_step_id, begun->step);
  EXPECT_THAT(one.driver->Fork(one.sequence), RefusedFor(Reason::kStepOpen));
  SetPolicy set;
  set.sequence = one.sequence.id;
  EXPECT_THAT(one.driver->Call(set), RefusedFor(Reason::kStepOpen));
  Compress compress;
  compress.sequence = one.sequence.id;
  EXPECT_THAT(one.driver->Call(compress), RefusedFor(Reason::kStepOpen));
  EXPECT_THAT(AttendNamed(*one.driver, one.model, 0, {&one.sequence}, 1),
              RefusedFor(Reason::kStepOpen));
  EXPECT_TRUE(one.driver->Abort(begun->step).ok());
  EXPECT_TRUE(one.driver->Begin({Decode(one.sequence)}).ok());
}

TEST_P(StepTest, WithMaxWaitASecondStepWaitsForTheFirst) {
  OneSequence one(GetParam(), 4);
  const auto first = one.driver->Begin({Decode(one.sequence)});
  BeginStep begin;
  begin.entries = {Decode(one.sequence).ToEntry()};
  begin.max_wait = absl::Seconds(5);
  const auto second = one.driver->Send(begin);
  one.driver->Status();
  EXPECT_FALSE(second.ready());
  ASSERT_TRUE(one.driver->Abort(first->step).ok());
  EXPECT_TRUE(second.Wait().ok());
}

TEST_P(StepTest, MaxWaitEnds) {
  OneSequence one(GetParam(), 4);
  ASSERT_TRUE(one.driver->Begin({Decode(one.sequence)}).ok());
  BeginStep begin;
  begin.entries = {Decode(one.sequence).ToEntry()};
  begin.max_wait = absl::Seconds(5);
  const auto second = one.driver->Send(begin);
  one.driver->Status();  // its time has begun
  one.driver->Advance(absl::Seconds(4));
  EXPECT_FALSE(second.ready());
  one.driver->Advance(absl::Seconds(2));
  EXPECT_THAT(second.Wait(), RefusedFor(Reason::kStepOpen));
}

TEST_P(StepTest, ALengthThatDiffersIsRefusedWithBothNumbers) {
  OneSequence one(GetParam(), 10);
  for (const int64_t base : {9, 11}) {
    StepEntry entry = Decode(one.sequence).ToEntry();
    entry.base_length = base;
    entry.rollback = base == 11;
    BeginStep begin;
    begin.entries = {entry};
    const auto refused = one.driver->Call(begin);
    EXPECT_THAT(refused, Refused(kPrecondition, Reason::kLengthMismatch, "entries[0].base_length"));
    EXPECT_EQ(DetailsOf(refused.status()).length, 10);
    EXPECT_TRUE(DetailsOf(refused.status()).room.has_value());
  }
  EXPECT_EQ(one.length(), 10);
}

TEST_P(StepTest, NoEntryIsRolledBackIfAnotherIsRefused) {
  OneSequence one(GetParam(), 10);
  TestSequence other = one.driver->Create(one.model);
  StepPart back = Decode(one.sequence);
  back.rollback_to = 4;
  StepPart wrong = Decode(other);
  wrong.rollback_to = 3;
  EXPECT_THAT(one.driver->Begin({back, wrong}), RefusedFor(Reason::kLengthMismatch));
  EXPECT_EQ(one.length(), 10);
}

TEST_P(StepTest, ARollbackDropsTheTokensBeyondIt) {
  OneSequence one(GetParam(), 40);
  for (const int64_t to : {39, 32, 17, 0}) {
    StepPart part = Decode(one.sequence, 3);
    part.rollback_to = to;
    const auto outcome = RunStep(*one.driver, one.model, {part});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->begun.entries[0].length, to);
    EXPECT_EQ(StepDifference(one.model, *outcome, one.sequence, 3), "");
  }
}

TEST_P(StepTest, ARollbackIntoASharedBlockLeavesTheOtherAsItIs) {
  OneSequence one(GetParam(), 21);
  auto child = one.driver->Fork(one.sequence);
  ASSERT_TRUE(child.ok());
  const auto before = AttendNamed(*one.driver, one.model, 0, {&one.sequence}, 21);
  StepPart part = Decode(*child, 4);
  part.rollback_to = 18;
  const auto outcome = RunStep(*one.driver, one.model, {part});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(StepDifference(one.model, *outcome, *child, 4), "");
  const auto after = AttendNamed(*one.driver, one.model, 0, {&one.sequence}, 21);
  EXPECT_EQ(before->out, after->out);
  EXPECT_EQ(before->lse, after->lse);
}

TEST_P(StepTest, ForksWriteToCopiesOfTheirOwn) {
  OneSequence one(GetParam(), 21);
  auto a = one.driver->Fork(one.sequence), b = one.driver->Fork(one.sequence);
  ASSERT_TRUE(a.ok() && b.ok());
  const auto outcome =
      RunStep(*one.driver, one.model, {Decode(*a, 2), Decode(one.sequence), Decode(*b, 14)});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(StepDifference(one.model, *outcome, *a, 2, 0), "");
  EXPECT_EQ(StepDifference(one.model, *outcome, one.sequence, 1, 2), "");
  EXPECT_EQ(StepDifference(one.model, *outcome, *b, 14, 3), "");
}

TEST_P(StepTest, AnAbortGivesLengthAndBytesBack) {
  OneSequence one(GetParam(), 20);
  const int64_t before = one.driver->Settled().pool.in_use;
  const auto begun = one.driver->Begin({Decode(one.sequence, 100)});
  EXPECT_GT(one.driver->Status().pool.in_use, before);
  const std::vector<int64_t> tags = one.driver->NewTags(100);
  ASSERT_TRUE(SendAttend(*one.driver, one.model, begun->step, 0, tags).Wait().ok());
  ASSERT_TRUE(one.driver->Abort(begun->step).ok());
  EXPECT_EQ(one.driver->Settled().pool.in_use, before);
  EXPECT_EQ(one.length(), 20);
  EXPECT_THAT(one.driver->Abort(begun->step), RefusedFor(Reason::kUnknownStep));
  EXPECT_EQ(NamedDifference(*one.driver, one.model, one.sequence, 20), "");
  EXPECT_EQ(one.driver->Status().totals.undone_steps, 1);
}

TEST_P(StepTest, AnUndoneStepAfterAForkCopyLeavesBothWhole) {
  OneSequence one(GetParam(), 20);
  auto child = one.driver->Fork(one.sequence);
  const auto begun = one.driver->Begin({Decode(*child)});
  ASSERT_TRUE(one.driver->Abort(begun->step).ok());
  EXPECT_EQ(NamedDifference(*one.driver, one.model, *child, 20), "");
  EXPECT_EQ(NamedDifference(*one.driver, one.model, one.sequence, 20), "");
}

TEST_P(StepTest, EndWithoutAbortIsNotForTheseSteps) {
  OneSequence one(GetParam());
  const auto begun = one.driver->Begin({Prefill(one.sequence, 1)});
  EndStep end;
  end.step = begun->step;
  EXPECT_THAT(one.driver->Call(end), RefusedFor(Reason::kNotInVersion));
}

TEST_P(StepTest, AStepOpenTooLongIsUndone) {
  OneSequence one(GetParam(), 5);
  const auto begun = one.driver->Begin({Decode(one.sequence)});
  const std::vector<int64_t> tags = one.driver->NewTags(1);
  one.driver->Advance(absl::Seconds(50));
  ASSERT_TRUE(SendAttend(*one.driver, one.model, begun->step, 0, tags).Wait().ok());
  one.driver->Advance(absl::Seconds(50));  // its limit began anew
  EXPECT_EQ(one.driver->Status().open_steps, 1);
  one.driver->Advance(absl::Seconds(11));
  EXPECT_EQ(one.driver->Status().open_steps, 0);
  EXPECT_THAT(SendAttend(*one.driver, one.model, begun->step, 1, tags).Wait(),
              RefusedFor(Reason::kUnknownStep));
  EXPECT_EQ(one.length(), 5);
}

// A step that waits for the sequence's open one until `cancelled`.
Answer<StepBegun> SendPatientBegin(OneSequence& one, const CancelFlag& cancelled) {
  BeginStep begin;
  begin.entries = {Decode(one.sequence).ToEntry()};
  begin.max_wait = absl::InfiniteDuration();
  begin.cancelled = cancelled;
  return one.driver->Send(begin);
}

TEST_P(StepTest, ACancelledBeginIsUndone) {
  OneSequence one(GetParam(), 5);
  const auto first = one.driver->Begin({Decode(one.sequence)});
  const CancelFlag flag = std::make_shared<std::atomic<bool>>(false);
  const auto second = SendPatientBegin(one, flag);
  flag->store(true);
  ASSERT_TRUE(one.driver->Abort(first->step).ok());
  EXPECT_EQ(second.Wait().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(one.driver->Status().open_steps, 0);
}

TEST_P(StepTest, AWakeLetsAWaitingBeginSeeThatItsCallerGaveUp) {
  OneSequence one(GetParam(), 5);
  ASSERT_TRUE(one.driver->Begin({Decode(one.sequence)}).ok());
  const CancelFlag flag = std::make_shared<std::atomic<bool>>(false);
  const auto second = SendPatientBegin(one, flag);
  one.driver->Status();
  flag->store(true);
  ASSERT_TRUE(one.driver->engine().Post(Wake()).ok());
  EXPECT_EQ(second.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST_P(StepTest, AFreedSequenceGoesWhenItsStepEnds) {
  OneSequence one(GetParam(), 5);
  const auto begun = one.driver->Begin({Decode(one.sequence)});
  ASSERT_TRUE(one.driver->Free(one.sequence).ok());
  EXPECT_THAT(one.driver->Info(one.sequence), RefusedFor(Reason::kUnknownSequence));
  EXPECT_EQ(one.driver->Status().sequences, 1);
  const std::vector<int64_t> tags = one.driver->NewTags(1);
  for (int32_t layer = 0; layer < 2; ++layer) {
    EXPECT_TRUE(SendAttend(*one.driver, one.model, begun->step, layer, tags).Wait().ok());
  }
  const EngineStatus status = one.driver->Settled();
  EXPECT_EQ(status.sequences, 0);
  EXPECT_EQ(status.pool.in_use, 0);
}

}  // namespace
}  // namespace sluice
