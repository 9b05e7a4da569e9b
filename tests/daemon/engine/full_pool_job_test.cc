// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Jobs whose pages do not fit beside what is there.

#include <tuple>

#include "gmock/gmock.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/full_pool.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

constexpr size_t kSelectKind = 3;  // in Operation
constexpr size_t kCompactKind = 4;

PolicySpec Half() { return golden::L2Author(0.5, 0); }

PolicySpec Protecting() {
  PolicySpec policy = golden::L2Count(300);
  policy.protect_first_tokens = 5;
  policy.protect_last_tokens = 7;
  return policy;
}

PolicySpec WithoutLayer0() {
  PolicySpec policy = Half();
  policy.skip_layers = std::vector<int32_t>{0};
  return policy;
}

struct Case {
  const char* name;
  PolicySpec policy;
  std::vector<int64_t> tokens;  // added; all but the first after a job to `first_budget`
  int64_t room_blocks;
  int64_t first_budget = 0;
  int64_t window_tokens = 0;  // of layer 1
};

std::vector<Case> Cases() {
  return {
      {"Half", Half(), {800}, 7},
      {"HalfWithAPartlyFilledBlock", Half(), {807}, 8},
      {"HalfWithoutRoomForThePartlyFilledBlock", Half(), {767}, 6},
      {"AFixedCount", golden::L2Count(300), {803}, 6},
      {"ProtectedTokens", Protecting(), {803}, 6},
      {"ASkippedLayer", WithoutLayer0(), {800}, 7},
      {"SinksAndAWindow", golden::SinkWindow(200, 100), {803}, 5},
      {"ASlidingWindow", golden::L2Count(200), {800}, 4, 0, 300},
      {"AShortTailAfterAJob", golden::L2Count(250), {800, 20}, 6, 333},
      {"ALongTailAfterAJob", golden::L2Count(250), {800, 290}, 6, 333},
      {"WholeBlocksAfterAJob", golden::L2Count(250), {800, 160}, 6, 320},
  };
}

using FullPoolJobTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(FullPoolJobTest);

// One sequence is compressed while there is room, its twin when there is little.
void ExpectTwinsEqual(TestBackend backend, const Case& the_case) {
  ModelGeometry geometry = SmallGeometry();
  geometry.layers[1].window_tokens = static_cast<int32_t>(the_case.window_tokens);
  FullPool pool(MakeDriver(backend), geometry);
  TestSequence free = pool.driver().Create(pool.model());
  TestSequence tight = pool.driver().Create(pool.model());
  for (const int64_t tokens : the_case.tokens) {
    for (TestSequence* sequence : {&free, &tight}) {
      if (sequence->length() > 0) {
        ASSERT_TRUE(pool.Compress(*sequence, golden::L2Count(the_case.first_budget)).ok());
      }
    }
    const std::vector<int64_t> tags = pool.driver().NewTags(tokens);
    pool.Add(free, tokens, tags);
    pool.Add(tight, tokens, tags);
  }
  const auto wanted = pool.Compress(free, the_case.policy);
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  pool.Fill(the_case.room_blocks);
  ASSERT_GT(FullPool::PagesOf(wanted->kept_tokens), pool.most_room_pages());
  const auto got = pool.Compress(tight, the_case.policy);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->kept_tokens, wanted->kept_tokens);
  EXPECT_EQ(got->job.outcome, JobOutcome::kCommitted);
  EXPECT_EQ(got->job.kept_slots, wanted->job.kept_slots);
  EXPECT_EQ(got->job.evicted_slots, wanted->job.evicted_slots);
  EXPECT_EQ(got->freed_now_bytes, wanted->freed_now_bytes);
  EXPECT_EQ(got->freed_later_bytes, 0);
  EXPECT_EQ(pool.Held(tight), pool.Held(free));
  EXPECT_TRUE(pool.Answers(tight) == pool.Answers(free));
}

class TwinJobTest : public ::testing::TestWithParam<std::tuple<TestBackend, size_t>> {};
INSTANTIATE_TEST_SUITE_P(
    BackendsAndCases, TwinJobTest,
    ::testing::Combine(::testing::Values(TestBackend::kReference, TestBackend::kThreaded,
                                         TestBackend::kCpu),
                       ::testing::Range(size_t{0}, Cases().size())),
    [](const auto& info) {
      return NameOf(std::get<0>(info.param)) + Cases()[std::get<1>(info.param)].name;
    });

TEST_P(TwinJobTest, AJobByPassesKeepsWhatOneWithRoomKeeps) {
  ExpectTwinsEqual(std::get<0>(GetParam()), Cases()[std::get<1>(GetParam())]);
}

TEST_P(FullPoolJobTest, WithRoomForManyHeadsTheyTakeTurnsTogether) {
  FullPool pool(MakeDriver(GetParam()));
  TestSequence sequence = pool.Filled(800);
  pool.Fill(20);
  const int64_t in_use = pool.driver().Settled().pool.in_use;
  const auto done = pool.Compress(sequence, Half());
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->freed_now_bytes, 25 * pool.model().block_bytes);
  EXPECT_EQ(pool.driver().Settled().pool.in_use, in_use - done->freed_now_bytes);
  EXPECT_EQ(NamedDifference(pool.driver(), pool.model(), sequence, 1, pool.Held(sequence)), "");
}

TEST_P(FullPoolJobTest, WhereNotEvenOneHeadFitsTheJobIsSkippedAndCounted) {
  FullPool pool(MakeDriver(GetParam()));
  TestSequence sequence = pool.Filled(800);
  const std::string answers = pool.Answers(sequence);
  pool.Fill(5);
  const PoolBytes before = pool.driver().Settled().pool;
  EXPECT_THAT(pool.Compress(sequence, Half()),
              Refused(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, ""));
  const EngineStatus status = pool.driver().Settled();
  EXPECT_EQ(status.pool, before);
  EXPECT_EQ(status.totals.JobsThatEnded(JobOutcome::kSkipped), 1);
  EXPECT_EQ(pool.driver().Info(sequence)->rollback_floor, 0);
  EXPECT_THAT(pool.driver().Info(sequence)->last_job->detail, ::testing::HasSubstr("do not fit"));
  EXPECT_TRUE(pool.Answers(sequence) == answers);
  pool.Empty();
  EXPECT_TRUE(pool.Compress(sequence, Half()).ok());
}

TEST_P(FullPoolJobTest, TheNextStepWaitsForAllPassesOfATriggeredJob) {
  FullPool pool(MakeDriver(GetParam()));
  PolicySpec policy = Half();
  policy.visible = Visible::kWhenReady;
  TestSequence sequence = pool.Filled(799, {}, policy);
  pool.Fill(8);
  ASSERT_TRUE(AppendStep(pool.driver(), pool.model(), Prefill(sequence, 1)).ok());
  pool.driver().Settled();
  HeldPositions held = pool.Held(sequence);
  EXPECT_EQ(held[3].size(), 400u);
  for (auto& row : held) row.push_back(800);
  const auto outcome = RunStep(pool.driver(), pool.model(), {Decode(sequence)});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(StepDifference(pool.model(), *outcome, sequence, 1, 0, held), "");
}

TEST_P(FullPoolJobTest, AForkKeepsItsOwnAndOnlyWhatIsNotSharedComesBack) {
  FullPool pool(MakeDriver(GetParam()));
  TestSequence sequence = pool.Filled(400);
  auto child = pool.driver().Fork(sequence);
  pool.Add(sequence, 400);
  const std::string answers = pool.Answers(*child);
  pool.Fill(7);
  const auto done = pool.Compress(sequence, Half());
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->kept_tokens, std::vector<int64_t>(4, 400));
  EXPECT_EQ(done->freed_now_bytes, 0);  // its own half serves what it keeps
  EXPECT_EQ(done->freed_later_bytes, 25 * pool.model().block_bytes);
  EXPECT_TRUE(pool.Answers(*child) == answers);
  EXPECT_EQ(NamedDifference(pool.driver(), pool.model(), sequence, 1, pool.Held(sequence)), "");
}

TEST_P(FullPoolJobTest, WhereAllIsSharedTheHeadsThatFitAreDone) {
  FullPool pool(MakeDriver(GetParam()));
  TestSequence sequence = pool.Filled(800);
  auto child = pool.driver().Fork(sequence);
  const std::string answers = pool.Answers(*child);
  pool.Fill(7);
  const auto done = pool.Compress(sequence, Half());
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(done->kept_tokens, ElementsAre(400, 800, 800, 800));
  EXPECT_EQ(done->job.evicted_slots, 400);
  EXPECT_EQ(done->job.kept_slots, 2800);
  EXPECT_EQ(done->freed_now_bytes, 0);
  EXPECT_TRUE(pool.Answers(*child) == answers);
  EXPECT_EQ(NamedDifference(pool.driver(), pool.model(), sequence, 1, pool.Held(sequence)), "");
}

// Lanes that a test holds.
class HeldLanesTest : public ::testing::Test {
 protected:
  // Puts an operation into the foreground lane that stays there.
  Answer<AttendResult> HoldForeground(const TestSequence& sequence) {
    gate_->Hold(Lane::kForeground);
    Attend attend;
    attend.sequences = {{sequence.id, 1}};
    const auto tensors = std::make_shared<LayerTensors>(
        pool_.model().geometry, 0, std::vector<int64_t>{sequence.tags.back()});
    attend.q = tensors->q.ref();
    const auto reading = pool_.driver().Send(attend, tensors);
    gate_->AwaitWaiting(Lane::kForeground, 1);
    return reading;
  }
  // A job in the background lane that waits after its first head, until what that
  // gave up comes back.
  TestSequence BetweenPasses() {
    PolicySpec policy = golden::L2Count(400);
    policy.visible = Visible::kWhenReady;
    TestSequence sequence = pool_.Filled(800, {}, policy);
    const TestSequence other = pool_.Filled(1);
    EXPECT_TRUE(pool_.Compress(sequence, golden::L2Count(600)).ok());
    pool_.Fill(8);
    gate_->Hold(Lane::kBackground);
    EXPECT_TRUE(AppendStep(pool_.driver(), pool_.model(), Prefill(sequence, 16)).ok());
    gate_->AwaitWaiting(Lane::kBackground, 1);
    reading_ = HoldForeground(other);
    gate_->Open(Lane::kBackground);
    AwaitFirstHead(sequence);
    return sequence;
  }
  void AwaitFirstHead(const TestSequence& sequence) {
    for (int turn = 0; turn < 20000; ++turn) {
      if (pool_.driver().Info(sequence)->rows[0].kept_tokens == 416) return;
    }
    FAIL() << "the first head was not committed";
  }

  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  FullPool pool_{EngineDriver::Gated(gate_)};
  Answer<AttendResult> reading_;
};

TEST_F(HeldLanesTest, BetweenTwoPassesAJobWaitsForWhatComesBack) {
  TestSequence sequence = BetweenPasses();
  EXPECT_EQ(pool_.driver().Status().running_jobs, 1);
  EXPECT_EQ(pool_.driver().Info(sequence)->rows[1].kept_tokens, 616);
  BeginStep begin;
  begin.entries = {Decode(sequence).ToEntry()};
  const auto waiting = pool_.driver().Send(begin);
  pool_.driver().Status();
  EXPECT_FALSE(waiting.ready());
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(reading_.Wait().ok());
  const auto begun = waiting.Wait();
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->entries[0].rollback_floor, 816);
  ASSERT_TRUE(pool_.driver().Abort(begun->step).ok());
  EXPECT_EQ(pool_.driver().Info(sequence)->last_job->evicted_slots, 4 * 216);
  EXPECT_EQ(pool_.Held(sequence)[3].size(), 400u);
}

TEST_F(HeldLanesTest, ASequenceThatIsFreedBetweenTwoPassesGivesAllBack) {
  TestSequence sequence = BetweenPasses();
  ASSERT_TRUE(pool_.driver().Free(sequence).ok());
  EXPECT_EQ(pool_.driver().Status().running_jobs, 0);
  gate_->Open(Lane::kForeground);
  EXPECT_TRUE(reading_.Wait().ok());
  pool_.Empty();
  const EngineStatus status = pool_.driver().Settled();
  EXPECT_EQ(status.totals.JobsThatEnded(JobOutcome::kCancelled), 1);
  EXPECT_EQ(status.pool.in_use, pool_.model().block_bytes);  // the other sequence's
  EXPECT_EQ(status.pool.retired, 0);
}

TEST_F(HeldLanesTest, ASequenceThatIsFreedInsideAPassGivesAllBack) {
  TestSequence sequence = pool_.Filled(800);
  pool_.Fill(7);
  const int64_t reserved = pool_.driver().Settled().pool.reserved;
  gate_->Hold(Lane::kForeground);
  const auto compressed = pool_.Send(sequence, Half());
  gate_->AwaitWaiting(Lane::kForeground, 1);
  ASSERT_TRUE(pool_.driver().Free(sequence).ok());
  EXPECT_EQ(compressed.Wait().status().code(), absl::StatusCode::kCancelled);
  gate_->Open(Lane::kForeground);
  pool_.Empty();
  const EngineStatus status = pool_.driver().Settled();
  EXPECT_EQ(status.pool.in_use, 0);
  EXPECT_EQ(status.pool.reserved, reserved);
  EXPECT_EQ(status.table_used_bytes, 0);
}

TEST_F(HeldLanesTest, AJobWhosePagesAreOnTheirWayBackWaitsForThem) {
  TestSequence sequence = pool_.Filled(800), other = pool_.Filled(800), third = pool_.Filled(1);
  pool_.Fill(7);
  const auto reading = HoldForeground(third);
  ASSERT_TRUE(pool_.driver().Free(other).ok());
  const auto compressed = pool_.Send(sequence, Half());
  pool_.driver().StatusOnce([](const EngineStatus& status) { return !status.giving_back; });
  EXPECT_EQ(pool_.driver().Status().running_jobs, 1);
  EXPECT_FALSE(compressed.ready());
  EXPECT_EQ(gate_->SubmittedOfKind(kCompactKind), 0);
  gate_->Open(Lane::kForeground);
  const auto done = compressed.Wait();
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_TRUE(reading.Wait().ok());
  EXPECT_EQ(gate_->SubmittedOfKind(kSelectKind), 1);  // whole
  EXPECT_EQ(done->kept_tokens, std::vector<int64_t>(4, 400));
}

}  // namespace
}  // namespace sluice
