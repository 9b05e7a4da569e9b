// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Window-score jobs beside others: with little room, and while steps go on.

#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/full_pool.h"
#include "tests/daemon/engine/window_oracle.h"
#include "tests/golden/l2norm_examples.h"

namespace sluice {
namespace {

const size_t kWindowScoreKind = Operation(WindowScoreArgs()).index();

PolicySpec WithoutTriggers(PolicySpec policy) {
  policy.triggers = TriggerSpec{};
  return policy;
}

// Of `tokens` tokens, the last 8 attended.
TestSequence Observed(FullPool& pool, const std::vector<int64_t>& tags, const PolicySpec& policy) {
  TestSequence sequence = pool.driver().Create(pool.model(), WithoutTriggers(policy));
  pool.Add(sequence, static_cast<int64_t>(tags.size()) - 8, {tags.begin(), tags.end() - 8});
  StepPart last = Prefill(sequence, 8, false);
  last.tags.assign(tags.end() - 8, tags.end());
  EXPECT_TRUE(RunStep(pool.driver(), pool.model(), {last}).ok());
  return sequence;
}

using WindowPassesTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(WindowPassesTest);

TEST_P(WindowPassesTest, AJobByPassesKeepsWhatOneWithRoomKeeps) {
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.budget_tokens = 400;
    FullPool pool(MakeDriver(GetParam()));
    const std::vector<int64_t> tags = pool.driver().NewTags(803);
    TestSequence free = Observed(pool, tags, policy);
    TestSequence tight = Observed(pool, tags, policy);
    const auto wanted = pool.Compress(free, policy);
    ASSERT_TRUE(wanted.ok()) << wanted.status();
    pool.Fill(14);
    ASSERT_GT(FullPool::PagesOf(wanted->kept_tokens), pool.most_room_pages()) << form;
    const auto got = pool.Compress(tight, policy);
    ASSERT_TRUE(got.ok()) << form << ": " << got.status();
    EXPECT_EQ(got->job.outcome, JobOutcome::kCommitted);
    EXPECT_EQ(got->job.evicted_slots, wanted->job.evicted_slots);
    EXPECT_NEAR(*got->job.evicted_mass_share, *wanted->job.evicted_mass_share, 1e-6) << form;
    EXPECT_EQ(pool.Held(tight), pool.Held(free)) << form;
    EXPECT_TRUE(pool.Answers(tight) == pool.Answers(free)) << form;
  }
}

TEST_P(WindowPassesTest, WithoutRoomForOneHeadItIsRefusedAndNothingChanges) {
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.budget_tokens = 400;
    FullPool pool(MakeDriver(GetParam()));
    TestSequence sequence = Observed(pool, pool.driver().NewTags(803), policy);
    pool.Fill(1);
    const auto refused = pool.Compress(sequence, policy);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << form;
    EXPECT_EQ(pool.Held(sequence)[3].size(), 803u);
  }
}

class WindowInFlightTest : public ::testing::Test {
 protected:
  // Attends to tokens with `tags` under the policy, whose job nobody waits for and
  // whose first operations are held.
  TestSequence WithHeldJob(PolicySpec policy, const std::vector<int64_t>& tags) {
    policy.visible = Visible::kWhenReady;
    TestSequence sequence = driver_->Create(model_, std::move(policy));
    gate_->Hold(Lane::kBackground);
    StepPart part = Prefill(sequence, static_cast<int64_t>(tags.size()));
    part.tags = tags;
    EXPECT_TRUE(RunStep(*driver_, model_, {part}).ok());
    driver_->Status();  // the job has begun, not only what is scored ahead of it
    gate_->AwaitWaiting(Lane::kBackground, 1);
    return sequence;
  }
  // Tags on which no decision is close.
  std::vector<int64_t> ClearTags(const std::string& form, int64_t tokens) {
    std::vector<int64_t> tags = driver_->NewTags(tokens);
    while (OracleHeld(form, model_.geometry, tags).empty()) tags = driver_->NewTags(tokens);
    return tags;
  }
  Answer<Compressed> SendCompress(const TestSequence& sequence, PolicySpec policy) {
    Compress compress;
    compress.sequence = sequence.id;
    compress.policy = std::move(policy);
    return driver_->Send(compress);
  }

  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  std::unique_ptr<EngineDriver> driver_ = EngineDriver::Gated(gate_);
  TestModel model_ = driver_->Register();
};

TEST_F(WindowInFlightTest, ScoresThatWereCountedServeTheBuildToo) {
  for (const std::string form : {"snapkv", "adakv", "dynamickv"}) {
    const int64_t before = gate_->SubmittedOfKind(kWindowScoreKind);
    TestSequence sequence = WithHeldJob(WindowPolicySpec(form), driver_->NewTags(90));
    gate_->Open(Lane::kBackground);
    driver_->Settled();
    // One a layer, beside the one ahead that had not passed.
    const int64_t ahead = form == "snapkv" ? 0 : 1;
    EXPECT_EQ(gate_->SubmittedOfKind(kWindowScoreKind) - before, 2 + ahead) << form;
    EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCommitted);
  }
}

TEST_F(WindowInFlightTest, StepsThatGoOnDoNotShowInIt) {
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.triggers = TriggerSpec{.prefill_end = true, .every_tokens = 1000};
    const std::vector<int64_t> tags = ClearTags(form, 90);
    TestSequence sequence = WithHeldJob(policy, tags);
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence)}).ok());
    }
    gate_->Open(Lane::kBackground);
    driver_->Settled();
    HeldPositions want = OracleHeld(form, model_.geometry, tags);
    for (auto& row : want) {
      for (int64_t position = 90; position < 110; ++position) row.push_back(position);
    }
    EXPECT_EQ(driver_->HeldRows(model_, sequence), want) << form;
    EXPECT_EQ(driver_->Info(sequence)->last_job->detail, "");
  }
}

TEST_F(WindowInFlightTest, ARollbackOfTokensThatItReadsMakesItReadThoseThatAreLeft) {
  for (const std::string& form : WindowForms()) {
    TestSequence sequence = WithHeldJob(WindowPolicySpec(form), driver_->NewTags(90));
    StepPart part = Decode(sequence);
    part.rollback_to = 88;
    ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
    EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCancelled) << form;
    gate_->Open(Lane::kBackground);
    driver_->Settled();
    EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCommitted) << form;
    EXPECT_EQ(driver_->Info(sequence)->last_job->detail, "6 of 8 observation rows");
    EXPECT_LT(driver_->HeldRows(model_, sequence)[0].size(), 88u);
  }
}

TEST_F(WindowInFlightTest, AJobOfADraftedSequenceThatARollbackEndsRunsAgain) {
  CreateSequence more;
  more.draft_tokens = 2;
  PolicySpec policy = golden::L2Count(10);
  policy.visible = Visible::kWhenReady;
  TestSequence sequence = driver_->Create(model_, policy, more);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 40, false)}).ok());
  gate_->Hold(Lane::kBackground);
  ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence, 2)}).ok());  // ends the prefill
  gate_->AwaitWaiting(Lane::kBackground, 1);
  StepPart part = Decode(sequence, 2);
  part.rollback_to = 30;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 12u);
}

TEST_F(WindowInFlightTest, NoStepWritesRowsThatACancelledJobMayStillRead) {
  PolicySpec policy = WindowPolicySpec("snapkv");
  policy.triggers = TriggerSpec{.pressure = true};
  TestSequence sequence = driver_->Create(model_, policy);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 190)}).ok());
  gate_->Hold(Lane::kBackground);
  ReclaimMemory reclaim;
  reclaim.target_bytes = 1;
  ASSERT_EQ(driver_->Call(std::move(reclaim))->size(), 1u);
  gate_->AwaitWaiting(Lane::kBackground, 1);
  StepPart part = Decode(sequence);
  part.rollback_to = 189;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  const auto in_use = [](const EngineStatus& status) { return status.pool.in_use; };
  EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCancelled);
  const int64_t held = in_use(driver_->StatusOnce([](const auto& status) {
    return !status.giving_back;
  }));
  gate_->Open(Lane::kBackground);
  EXPECT_LT(in_use(driver_->StatusOnce([&](const auto& status) { return in_use(status) < held; })),
            held);
  ASSERT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(in_use(driver_->Settled()), 0);
}

TEST_F(WindowInFlightTest, ItIsNotPlannedWhileAStepIsOpen) {
  TestSequence occupant = WithHeldJob(golden::L2Count(20), driver_->NewTags(90));
  PolicySpec policy = WindowPolicySpec("snapkv");
  policy.visible = Visible::kWhenReady;
  TestSequence sequence = driver_->Create(model_, policy);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence, 90)}).ok());
  const auto step = driver_->Begin({Decode(sequence)});
  ASSERT_TRUE(step.ok()) << step.status();
  gate_->Open(Lane::kBackground);
  driver_->StatusOnce([](const EngineStatus& status) { return status.running_jobs == 1; });
  EXPECT_FALSE(driver_->Info(sequence)->last_job.has_value());
  const std::vector<int64_t> tags = driver_->NewTags(1);
  for (int32_t layer = 0; layer < 2; ++layer) {
    ASSERT_TRUE(SendAttend(*driver_, model_, step->step, layer, tags).Wait().ok());
  }
  driver_->Settled();
  EXPECT_EQ(driver_->Info(sequence)->last_job->outcome, JobOutcome::kCommitted);
}

TEST_F(WindowInFlightTest, OneThatStartsLateScoresByTheLastRowsOfThePrompt) {
  TestSequence occupant = WithHeldJob(golden::L2Count(20), driver_->NewTags(90));
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.visible = Visible::kWhenReady;
    TestSequence sequence = driver_->Create(model_, policy);
    StepPart prompt = Prefill(sequence, 90);
    prompt.tags = ClearTags(form, 90);
    ASSERT_TRUE(RunStep(*driver_, model_, {prompt}).ok());
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(RunStep(*driver_, model_, {Decode(sequence)}).ok());
    }
    gate_->Open(Lane::kBackground);
    driver_->Settled();
    HeldPositions want = OracleHeld(form, model_.geometry, prompt.tags);
    for (auto& row : want) {
      for (int64_t position = 90; position < 100; ++position) row.push_back(position);
    }
    EXPECT_EQ(driver_->HeldRows(model_, sequence), want) << form;
    EXPECT_EQ(driver_->Info(sequence)->last_job->detail, "");
    occupant = WithHeldJob(golden::L2Count(20), driver_->NewTags(90));
  }
}

TEST_F(WindowInFlightTest, AJobThatCountsMakesWayAndCountsAgain) {
  TestSequence other = driver_->Create(model_);
  ASSERT_TRUE(AppendStep(*driver_, model_, Prefill(other, 90)).ok());
  const std::vector<int64_t> tags = ClearTags("dynamickv", 90);
  TestSequence sequence = WithHeldJob(WindowPolicySpec("dynamickv"), tags);
  const auto waited = SendCompress(other, golden::L2Count(20));
  driver_->Status();
  gate_->Hold(Lane::kForeground);
  gate_->Open(Lane::kBackground);
  gate_->AwaitWaiting(Lane::kForeground, 1);
  EXPECT_FALSE(driver_->Info(sequence)->last_job.has_value());
  gate_->Open(Lane::kForeground);
  ASSERT_TRUE(waited.Wait().ok());
  driver_->Settled();
  // The first layer ahead, then both, then the second once more.
  EXPECT_EQ(gate_->SubmittedOfKind(kWindowScoreKind), 4);
  EXPECT_EQ(driver_->HeldRows(model_, sequence), OracleHeld("dynamickv", model_.geometry, tags));
}

}  // namespace
}  // namespace sluice
