// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Jobs of sink_window and l2norm: what they keep, when they run and show.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gmock/gmock.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/golden/l2norm_examples.h"
#include "tests/golden/sink_window_examples.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using JobTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(JobTest);

PolicySpec SinkAndRecent(int64_t sinks, int64_t recent) {
  return golden::SinkWindow(sinks, recent);
}

// A ratio of every row, at the end of prefill.
PolicySpec Half() { return golden::L2Author(0.5, 0); }

struct World {
  World(TestBackend backend, PolicySpec policy, CreateSequence more = {},
        ModelGeometry geometry = SmallGeometry())
      : driver(MakeDriver(backend)),
        model(driver->Register(std::move(geometry))),
        sequence(driver->Create(model, std::move(policy), more)) {}

  absl::StatusOr<StepOutcome> Run(StepPart part) { return RunStep(*driver, model, {part}); }
  // Keys and values only.
  absl::Status Add(StepPart part) { return AppendStep(*driver, model, std::move(part)); }
  absl::StatusOr<Compressed> Compress(std::optional<int64_t> budget = std::nullopt,
                                      bool dry_run = false) {
    struct Compress command;
    command.sequence = sequence.id;
    command.budget_tokens = budget;
    command.dry_run = dry_run;
    return driver->Call(command);
  }
  // Blocks that a step could take now.
  int64_t RoomInBlocks() {
    TestSequence other = driver->Create(model);
    const auto refused = driver->Begin({Prefill(other, 16 * 10000)});
    EXPECT_TRUE(driver->Free(other).ok());
    const int64_t missing = DetailsOf(refused.status()).room->missing_bytes;
    return 10000 - (missing + model.block_bytes - 1) / model.block_bytes;
  }
  HeldPositions Held() { return driver->HeldRows(model, sequence); }
  // Attention of the newest rows against plain attention over what is held.
  std::string Differs(int64_t rows = 1) {
    return NamedDifference(*driver, model, sequence, rows, Held());
  }

  std::unique_ptr<EngineDriver> driver;
  TestModel model;
  TestSequence sequence;
};

// The positions of the `count` smallest keys of a row, ascending.
std::vector<int64_t> SmallestKeys(const TestSequence& sequence, int32_t layer, int32_t head,
                                  int64_t count) {
  const auto norm = [&](int64_t position) {
    const auto key = TokenVector(sequence.tags[static_cast<size_t>(position)], layer,
                                 VectorKind::kKey, head, 16);
    return std::inner_product(key.begin(), key.end(), key.begin(), 0.0);
  };
  std::vector<int64_t> positions(sequence.tags.size());
  std::iota(positions.begin(), positions.end(), 0);
  std::stable_sort(positions.begin(), positions.end(),
                   [&](int64_t a, int64_t b) { return norm(a) < norm(b); });
  positions.resize(static_cast<size_t>(count));
  std::sort(positions.begin(), positions.end());
  return positions;
}

TEST_P(JobTest, L2NormKeepsTheSmallestKeysOfEveryHead) {
  World world(GetParam(), Half());
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 75)).ok());
  const HeldPositions held = world.Held();
  for (size_t row = 0; row < 4; ++row) {
    const auto layer = static_cast<int32_t>(row / 2), head = static_cast<int32_t>(row % 2);
    EXPECT_EQ(held[row], SmallestKeys(world.sequence, layer, head, 38)) << row;
  }
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, SinkWindowKeepsSinksAndTheNewest) {
  World world(GetParam(), SinkAndRecent(2, 30));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 100)).ok());
  const std::vector<int64_t> held = world.Held()[3];
  ASSERT_EQ(held.size(), 32u);
  EXPECT_EQ(held[1], 1);
  EXPECT_EQ(held[2], 70);
  EXPECT_EQ(world.Differs(20), "");
  EXPECT_EQ(world.driver->Info(world.sequence)->rollback_floor, 70);
}

TEST_P(JobTest, StepsAfterAnEvictionAttendToWhatIsHeld) {
  World world(GetParam(), SinkAndRecent(3, 17));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 50)).ok());
  for (int i = 0; i < 20; ++i) {
    HeldPositions held = world.Held();
    for (auto& row : held) row.push_back(world.sequence.length());
    const auto outcome = world.Run(Decode(world.sequence));
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(StepDifference(world.model, *outcome, world.sequence, 1, 0, held), "");
  }
  EXPECT_EQ(world.Held()[0].size(), 20u);
}

TEST_P(JobTest, EverythingMayGoBelowTheSnapshot) {
  World world(GetParam(), SinkAndRecent(0, 5));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 40)).ok());
  EXPECT_THAT(world.Held()[0], ElementsAre(35, 36, 37, 38, 39));
  EXPECT_EQ(world.Differs(3), "");
  ASSERT_TRUE(world.Add(Decode(world.sequence)).ok());
  EXPECT_THAT(world.Held()[1], ElementsAre(36, 37, 38, 39, 40));
}

TEST_P(JobTest, AJobThatEvictsNothingChangesNothing) {
  World world(GetParam(), {});
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 40)).ok());
  const auto before = AttendNamed(*world.driver, world.model, 1, {&world.sequence}, 40);
  const PoolBytes pool = world.driver->Settled().pool;
  Compress command;
  command.sequence = world.sequence.id;
  command.policy = golden::L2Count(40);
  const auto done = world.driver->Call(command);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->job.outcome, JobOutcome::kNothingToEvict);
  EXPECT_EQ(done->kept_tokens, std::vector<int64_t>(4, 40));
  EXPECT_EQ(done->freed_now_bytes, 0);
  EXPECT_EQ(world.driver->Settled().pool, pool);
  const auto after = AttendNamed(*world.driver, world.model, 1, {&world.sequence}, 40);
  EXPECT_EQ(before->out, after->out);
}

TEST_P(JobTest, LayersThatAreSkippedAndSlidingWindows) {
  ModelGeometry geometry = SmallGeometry();
  geometry.layers[1].window_tokens = 20;
  PolicySpec policy = Half();
  policy.skip_layers = std::vector<int32_t>{0};
  World world(GetParam(), policy, {}, geometry);
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 60)).ok());
  const HeldPositions held = world.Held();
  EXPECT_EQ(held[0].size(), 60u);
  EXPECT_EQ(held[2].size(), 10u);
  EXPECT_GE(held[2].front(), 41);
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, ASecondJobWorksOnWhatTheFirstLeft) {
  World world(GetParam(), golden::L2Count(60));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 100)).ok());
  ASSERT_EQ(world.Held()[0], SmallestKeys(world.sequence, 0, 0, 60));
  ASSERT_TRUE(world.Compress(35).ok());
  EXPECT_EQ(world.Held()[0], SmallestKeys(world.sequence, 0, 0, 35));
  ASSERT_TRUE(world.Add(Decode(world.sequence, 10)).ok());
  ASSERT_TRUE(world.Compress(20).ok());
  EXPECT_EQ(world.Held()[2].size(), 20u);
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, ForksShareAndAreNotChangedByTheOthersCompression) {
  World world(GetParam(), {});
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 70)).ok());
  auto child = world.driver->Fork(world.sequence);
  const int64_t in_use = world.driver->Settled().pool.in_use;
  const auto before = AttendNamed(*world.driver, world.model, 0, {&*child}, 70);
  Compress command;
  command.sequence = world.sequence.id;
  command.policy = golden::L2Count(20);
  const auto done = world.driver->Call(command);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->freed_now_bytes, 0);
  EXPECT_GT(done->freed_later_bytes, 0);
  EXPECT_EQ(world.driver->Info(world.sequence)->last_job->freed_later_bytes,
            done->freed_later_bytes);
  EXPECT_EQ(AttendNamed(*world.driver, world.model, 0, {&*child}, 70)->out, before->out);
  EXPECT_GE(world.driver->Settled().pool.in_use, in_use);
  EXPECT_EQ(world.Held()[1].size(), 20u);
  ASSERT_TRUE(world.driver->Free(*child).ok());
  EXPECT_LT(world.driver->Settled().pool.in_use, in_use);
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, AForkOfACompressedSequenceSharesItsBodies) {
  World world(GetParam(), golden::L2Count(20));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 70)).ok());
  world.Held();
  auto child = world.driver->Fork(world.sequence);
  ASSERT_TRUE(child.ok());
  const HeldPositions held = world.Held();
  ASSERT_TRUE(world.Add(Decode(world.sequence, 5)).ok());
  ASSERT_TRUE(world.Compress(10).ok());
  EXPECT_EQ(world.driver->HeldRows(world.model, *child), held);
  EXPECT_EQ(NamedDifference(*world.driver, world.model, *child, 1, held), "");
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, HalfOfThePagesComeBackAndServeAnother) {
  World world(GetParam(), Half());
  const int64_t page_bytes = world.model.block_bytes / 4;
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 800, false)).ok());
  const PoolBytes before = world.driver->Settled().pool;
  const int64_t room = world.RoomInBlocks();
  ASSERT_EQ(before.in_use, 50 * world.model.block_bytes);
  ASSERT_TRUE(world.Compress().ok());
  const PoolBytes after = world.driver->Settled().pool;
  EXPECT_LE(after.in_use, before.in_use / 2 + 4 * page_bytes);
  EXPECT_EQ(after.free - before.free, before.in_use - after.in_use);
  EXPECT_GE(world.RoomInBlocks(), room + 24);
  TestSequence other = world.driver->Create(world.model);
  const auto begun = world.driver->Begin({Prefill(other, 16 * (room + 24))});
  EXPECT_TRUE(begun.ok()) << begun.status();
}

TEST_P(JobTest, DryRunTellsWhatTheRealOneDoes) {
  for (const int64_t budget : {1, 16, 40, 99, 200}) {
    World world(GetParam(), golden::L2Count(150));
    ASSERT_TRUE(world.Add(Prefill(world.sequence, 100)).ok());
    const auto dry = world.Compress(budget, true);
    ASSERT_TRUE(dry.ok()) << dry.status();
    EXPECT_EQ(world.Held()[0].size(), 100u);
    const auto real = world.Compress(budget);
    ASSERT_TRUE(real.ok()) << real.status();
    EXPECT_EQ(dry->kept_tokens, real->kept_tokens) << budget;
    EXPECT_EQ(dry->freed_now_bytes, real->freed_now_bytes) << budget;
    EXPECT_EQ(dry->freed_later_bytes, real->freed_later_bytes) << budget;
    EXPECT_EQ(dry->job.evicted_slots, real->job.evicted_slots) << budget;
  }
}

TEST_P(JobTest, ADryRunCountsTheBlockThatTheSnapshotCuts) {
  World world(GetParam(), {});
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 100)).ok());
  Compress command;
  command.sequence = world.sequence.id;
  command.policy = SinkAndRecent(3, 21);
  command.dry_run = true;
  const auto dry = world.driver->Call(command);
  command.dry_run = false;
  const auto real = world.driver->Call(command);
  ASSERT_TRUE(dry.ok() && real.ok());
  EXPECT_EQ(dry->kept_tokens, real->kept_tokens);
  EXPECT_EQ(dry->freed_now_bytes, real->freed_now_bytes);
}

TEST_P(JobTest, EveryActsOncePerItsTokensBeyondTheHysteresis) {
  PolicySpec policy = golden::L2Count(32);
  policy.triggers = TriggerSpec{.prefill_end = true, .every_tokens = 4, .hysteresis_tokens = 16};
  World world(GetParam(), policy);
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 40)).ok());
  EXPECT_EQ(world.Held()[0].size(), 32u);
  for (int64_t i = 1; i <= 15; ++i) {
    ASSERT_TRUE(world.Add(Decode(world.sequence)).ok());
    EXPECT_EQ(world.Held()[0].size(), static_cast<size_t>(32 + i));
  }
  ASSERT_TRUE(world.Add(Decode(world.sequence)).ok());
  EXPECT_EQ(world.Held()[0].size(), 32u);
}

TEST_P(JobTest, PrefillEndsWithTheMarkOrWithTheNextDecodeEntry) {
  for (const bool marked : {true, false}) {
    PolicySpec policy = golden::L2Count(10);
    policy.triggers = TriggerSpec{.prefill_end = true};
    World world(GetParam(), policy);
    ASSERT_TRUE(world.Add(Prefill(world.sequence, 30, false)).ok());
    EXPECT_EQ(world.Held()[0].size(), 30u);
    ASSERT_TRUE(world.Add(Prefill(world.sequence, 1, marked)).ok());
    EXPECT_EQ(world.Held()[0].size(), marked ? 10u : 31u);
    ASSERT_TRUE(world.Add(Decode(world.sequence)).ok());
    EXPECT_EQ(world.Held()[0].size(), 11u);
  }
}

TEST_P(JobTest, WithDraftsTriggersComeAfterTheNextStepsRollback) {
  PolicySpec policy = golden::EveryToken(golden::L2Count(8));
  CreateSequence more;
  more.draft_tokens = 4;
  World world(GetParam(), policy, more);
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 20)).ok());
  EXPECT_EQ(world.Held()[0].size(), 20u);
  ASSERT_TRUE(world.Add(Decode(world.sequence, 4)).ok());
  const std::vector<int64_t> held = world.Held()[0];
  EXPECT_EQ(held.size(), 8u + 4u);  // 4 of the 8 are the hot tail
  StepPart rolled_back = Decode(world.sequence, 1);
  rolled_back.rollback_to = 21;
  ASSERT_TRUE(world.Add(rolled_back).ok());
  EXPECT_EQ(world.sequence.length(), 22);
  EXPECT_EQ(world.Differs(1), "");
}

TEST_P(JobTest, SetPolicyHoldsFromTheNextTriggerOn) {
  World world(GetParam(), {});
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 60)).ok());
  SetPolicy set;
  set.sequence = world.sequence.id;
  set.policy = golden::EveryToken(golden::L2Count(20));
  const auto policy = world.driver->Call(set);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ((*policy)->spec().budget_tokens, 20);
  EXPECT_EQ(world.Held()[0].size(), 60u);
  ASSERT_TRUE(world.Add(Decode(world.sequence)).ok());
  EXPECT_EQ(world.Held()[0].size(), 20u);
}

TEST_P(JobTest, AJobIsReportedAndCounted) {
  World world(GetParam(), golden::L2Count(10));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 30)).ok());
  world.Held();
  const auto info = world.driver->Info(world.sequence);
  ASSERT_TRUE(info->last_job.has_value());
  EXPECT_EQ(info->last_job->trigger, Trigger::kPrefillEnd);
  EXPECT_EQ(info->last_job->kept_slots, 40);
  EXPECT_EQ(info->last_job->evicted_slots, 80);
  EXPECT_EQ(info->rows[0].kept_tokens, 10);
  EXPECT_EQ(info->rollback_floor, 30);
  const EngineStatus status = world.driver->Settled();
  EXPECT_EQ(status.totals.JobsThatEnded(JobOutcome::kCommitted), 1);
  EXPECT_EQ(status.totals.evicted_slots, 80);
  EXPECT_EQ(info->held_bytes, status.pool.in_use);
  EXPECT_EQ(info->bytes_alone, info->held_bytes);
}

TEST_P(JobTest, AnInspectionTellsWhatAJobWouldDoAndDoesNothing) {
  World world(GetParam(), golden::L2Count(10));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 30, false)).ok());
  InspectSequence inspect;
  inspect.sequence = world.sequence.id;
  const auto before = world.driver->Call(inspect);
  ASSERT_TRUE(before.ok() && before->plan.has_value()) << before.status();
  EXPECT_EQ(before->plan->kept_tokens, std::vector<int64_t>(4, 10));
  EXPECT_EQ(before->plan->job.outcome, JobOutcome::kDryRun);
  EXPECT_FALSE(before->info.last_job.has_value());
  EXPECT_EQ(before->info.rows[0].kept_tokens, 30);
  const auto step = world.driver->Begin({Decode(world.sequence)});
  ASSERT_TRUE(step.ok()) << step.status();
  const auto open = world.driver->Call(inspect);
  EXPECT_EQ(open->info.open_step, step->step);
  EXPECT_FALSE(open->plan.has_value());
}

TEST_P(JobTest, WhatAForkStillHoldsIsNotFreed) {
  World world(GetParam(), golden::L2Count(10));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 40, false)).ok());
  ASSERT_TRUE(world.driver->Fork(world.sequence).ok());
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 1)).ok());
  EXPECT_EQ(world.Held()[0].size(), 10u);
  // Its own copy of the open block came back, and went into the body.
  EXPECT_EQ(world.driver->Info(world.sequence)->last_job->freed_bytes, 0);
  EXPECT_EQ(world.driver->Settled().totals.job_freed_bytes, 0);
}

absl::StatusOr<Explained> Explain(World& world) {
  ExplainSequence explain;
  explain.sequence = world.sequence.id;
  explain.layer = 1;
  explain.kv_head = 1;
  return world.driver->Call(explain);
}

TEST_P(JobTest, ExplainGivesMinusTheKeysNorm) {
  World world(GetParam(), golden::L2Count(10));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 30)).ok());
  const auto explained = Explain(world);
  ASSERT_TRUE(explained.ok()) << explained.status();
  ASSERT_EQ(explained->scores.size(), 10u);
  for (size_t i = 0; i < explained->scores.size(); ++i) {
    const int64_t position = explained->kept_positions[i];
    const int64_t tag = world.sequence.tags[static_cast<size_t>(position)];
    const std::vector<float> key = TokenVector(tag, 1, VectorKind::kKey, 1, 16);
    const float norm = std::sqrt(std::inner_product(key.begin(), key.end(), key.begin(), 0.0f));
    EXPECT_NEAR(explained->scores[i], -norm, 1e-4f * norm) << position;
  }
}

TEST_P(JobTest, ExplainGivesNoScoresWhereThePolicyHasNone) {
  World world(GetParam(), SinkAndRecent(2, 8));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 30)).ok());
  const auto explained = Explain(world);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ(explained->kept_positions.size(), 10u);
  EXPECT_TRUE(explained->scores.empty());
}

TEST_P(JobTest, ARollbackBelowTheSnapshotIsRefusedWithTheFloor) {
  World world(GetParam(), golden::L2Count(10));
  ASSERT_TRUE(world.Add(Prefill(world.sequence, 30)).ok());
  StepPart part = Decode(world.sequence);
  part.rollback_to = 29;
  const auto refused = world.driver->Begin({part});
  EXPECT_THAT(refused, Refused(absl::StatusCode::kFailedPrecondition, Reason::kBelowFloor,
                               "entries[0].base_length"));
  EXPECT_EQ(DetailsOf(refused.status()).rollback_floor, 30);
}

}  // namespace
}  // namespace sluice
