// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Jobs that score by a window of observation rows: what they keep, and what they say.

#include <numeric>

#include "gmock/gmock.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/daemon/engine/window_oracle.h"
#include "tests/golden/l2norm_examples.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

ModelGeometry ThreeLayers() {
  ModelGeometry geometry = SmallGeometry();
  geometry.layers.resize(3, geometry.layers[0]);
  return geometry;
}

class WindowWorld {
 public:
  explicit WindowWorld(TestBackend backend)
      : driver(MakeDriver(backend)), model(driver->Register(ThreeLayers())) {}

  TestSequence Create(const PolicySpec& policy) { return driver->Create(model, policy); }

  // Attends to tokens with `tags`, so many a step; the last is the prefill's end.
  void Prefill(TestSequence& sequence, const std::vector<int64_t>& tags, int64_t chunk) {
    const auto count = static_cast<int64_t>(tags.size());
    for (int64_t first = 0; first < count; first += chunk) {
      const int64_t tokens = std::min(chunk, count - first);
      StepPart part = sluice::Prefill(sequence, tokens, first + tokens == count);
      part.tags.assign(tags.begin() + first, tags.begin() + first + tokens);
      const auto outcome = RunStep(*driver, model, {part});
      ASSERT_TRUE(outcome.ok()) << outcome.status();
    }
  }

  // The same with keys, values and the last queries of a step, and no attend.
  void AppendWithQueries(TestSequence& sequence, const std::vector<int64_t>& tags,
                         int64_t chunk) {
    const auto count = static_cast<int64_t>(tags.size());
    for (int64_t first = 0; first < count; first += chunk) {
      const int64_t tokens = std::min(chunk, count - first);
      StepPart part = sluice::Prefill(sequence, tokens, first + tokens == count);
      part.tags.assign(tags.begin() + first, tags.begin() + first + tokens);
      const std::vector<int64_t> last(part.tags.end() - std::min<int64_t>(8, tokens),
                                      part.tags.end());
      Append append;
      append.entry = part.ToEntry();
      std::vector<std::unique_ptr<LayerTensors>> kept;
      for (int32_t layer = 0; layer < 3; ++layer) {
        kept.push_back(std::make_unique<LayerTensors>(model.geometry, layer, part.tags));
        kept.push_back(std::make_unique<LayerTensors>(model.geometry, layer, last));
        const size_t place = kept.size() - 2;
        append.layers.push_back({layer, kept[place]->k.ref(), kept[place]->v.ref(),
                                 kept[place + 1]->q.ref()});
      }
      const auto result = driver->Call(append);
      ASSERT_TRUE(result.ok()) << result.status();
      sequence.tags.insert(sequence.tags.end(), part.tags.begin(), part.tags.end());
    }
  }

  absl::StatusOr<Compressed> Compress(const TestSequence& sequence, const PolicySpec& policy,
                                      bool dry_run = false) {
    struct Compress command;
    command.sequence = sequence.id;
    command.policy = policy;
    command.dry_run = dry_run;
    return driver->Call(command);
  }

  HeldPositions Held(const TestSequence& sequence) { return driver->HeldRows(model, sequence); }

  std::unique_ptr<EngineDriver> driver;
  TestModel model;
};

// Tags on which no decision is close.
std::vector<int64_t> ClearTags(WindowWorld& world, const std::string& form, int64_t tokens) {
  std::vector<int64_t> tags = world.driver->NewTags(tokens);
  while (OracleHeld(form, world.model.geometry, tags).empty()) {
    tags = world.driver->NewTags(tokens);
  }
  return tags;
}

using WindowJobTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(WindowJobTest);

TEST_P(WindowJobTest, RandomPromptsKeepWhatThePlainImplementationKeeps) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    int compared = 0;
    for (int64_t round = 0; round < 12; ++round) {
      const std::vector<int64_t> tags = world.driver->NewTags(30 + 7 * round);
      const HeldPositions want = OracleHeld(form, world.model.geometry, tags);
      if (want.empty()) continue;
      ++compared;
      TestSequence sequence = world.Create(WindowPolicySpec(form));
      world.Prefill(sequence, tags, 1 + 13 * round);
      ASSERT_EQ(world.Held(sequence), want) << form << ", tags from " << tags[0];
      ASSERT_TRUE(world.driver->Free(sequence).ok());
    }
    EXPECT_GT(compared, 5) << form;
  }
}

TEST_P(WindowJobTest, TheChunksOfAPrefillDoNotShow) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    const std::vector<int64_t> tags = ClearTags(world, form, 97);
    const HeldPositions want = OracleHeld(form, world.model.geometry, tags);
    for (const int64_t chunk : {1, 7, 64, 97}) {
      TestSequence attended = world.Create(WindowPolicySpec(form));
      world.Prefill(attended, tags, chunk);
      EXPECT_EQ(world.Held(attended), want) << form << " in chunks of " << chunk;
      TestSequence appended = world.Create(WindowPolicySpec(form));
      world.AppendWithQueries(appended, tags, chunk);
      EXPECT_EQ(world.Held(appended), want) << form << " appended in chunks of " << chunk;
    }
  }
}

TEST_P(WindowJobTest, ASecondPrefillActsOnWhatTheFirstLeft) {
  WindowWorld world(GetParam());
  int compared = 0;
  for (int round = 0; round < 4; ++round) {
    TestSequence sequence = world.Create(WindowPolicySpec("snapkv"));
    world.Prefill(sequence, world.driver->NewTags(90), 50);
    HeldPositions held = world.Held(sequence);
    world.Prefill(sequence, world.driver->NewTags(45), 20);
    const HeldPositions got = world.Held(sequence);
    for (size_t row = 0; row < held.size(); ++row) {
      for (int64_t position = 90; position < 135; ++position) held[row].push_back(position);
      const auto tensors = OracleTensors(world.model.geometry, static_cast<int32_t>(row / 2),
                                         sequence.tags);
      const auto want = OracleHeldOf(tensors, static_cast<int32_t>(row % 2), held[row]);
      if (want.empty()) continue;
      ++compared;
      EXPECT_EQ(got[row], want) << "round " << round << " row " << row;
    }
  }
  EXPECT_GT(compared, 12);
}

TEST_P(WindowJobTest, ADryRunTellsWhatTheRealOneDoesAndChangesNothing) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.triggers = TriggerSpec{};
    TestSequence sequence = world.Create(policy);
    world.Prefill(sequence, world.driver->NewTags(90), 90);
    const auto dry = world.Compress(sequence, policy, /*dry_run=*/true);
    ASSERT_TRUE(dry.ok()) << dry.status();
    EXPECT_EQ(dry->job.outcome, JobOutcome::kDryRun);
    EXPECT_EQ(world.Held(sequence)[0].size(), 90u);
    EXPECT_FALSE(world.driver->Info(sequence)->last_job.has_value());
    const auto real = world.Compress(sequence, policy);
    ASSERT_TRUE(real.ok()) << real.status();
    EXPECT_EQ(dry->kept_tokens, real->kept_tokens) << form;
    EXPECT_EQ(dry->freed_now_bytes, real->freed_now_bytes) << form;
    EXPECT_EQ(dry->job.evicted_slots, real->job.evicted_slots) << form;
    EXPECT_EQ(real->job.detail, "");
  }
}

TEST_P(WindowJobTest, WithoutObservationRowsTheJobIsSkippedAndCounted) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    TestSequence sequence = world.Create(WindowPolicySpec(form));
    ASSERT_TRUE(AppendStep(*world.driver, world.model, Prefill(sequence, 90)).ok());
    EXPECT_EQ(world.Held(sequence)[0].size(), 90u);
    const auto info = world.driver->Info(sequence);
    ASSERT_TRUE(info->last_job.has_value()) << form;
    EXPECT_EQ(info->last_job->outcome, JobOutcome::kSkipped);
    EXPECT_THAT(info->last_job->detail, HasSubstr("no observation rows"));
    for (const bool dry_run : {false, true}) {
      EXPECT_THAT(world.Compress(sequence, WindowPolicySpec(form), dry_run),
                  Refused(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, ""));
    }
  }
  const auto skipped = world.driver->Status().totals.JobsThatEnded(JobOutcome::kSkipped);
  EXPECT_EQ(skipped, 2 * static_cast<int64_t>(WindowForms().size()));
}

TEST_P(WindowJobTest, WithFewerRowsThanTheWindowItUsesThoseAndSaysSo) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    TestSequence sequence = world.Create(WindowPolicySpec(form));
    ASSERT_TRUE(AppendStep(*world.driver, world.model, Prefill(sequence, 85, false)).ok());
    world.Prefill(sequence, world.driver->NewTags(5), 5);
    const HeldPositions held = world.Held(sequence);
    const auto info = world.driver->Info(sequence);
    EXPECT_EQ(info->last_job->outcome, JobOutcome::kCommitted) << form;
    EXPECT_EQ(info->last_job->detail, "5 of 8 observation rows");
    for (const auto& row : held) EXPECT_EQ(row[row.size() - 8], 82) << form;
  }
}

TEST_P(WindowJobTest, WithinTheBudgetNothingGoesAndNoRowsAreNeeded) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    TestSequence sequence = world.Create(WindowPolicySpec(form));
    ASSERT_TRUE(AppendStep(*world.driver, world.model, Prefill(sequence, 24, false)).ok());
    const auto done = world.Compress(sequence, WindowPolicySpec(form));
    ASSERT_TRUE(done.ok()) << form << ": " << done.status();
    EXPECT_EQ(done->job.outcome, JobOutcome::kNothingToEvict);
  }
}

TEST_P(WindowJobTest, StepsAfterItAttendToWhatIsHeld) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    TestSequence sequence = world.Create(WindowPolicySpec(form));
    world.Prefill(sequence, world.driver->NewTags(90), 64);
    HeldPositions held = world.Held(sequence);
    for (auto& row : held) row.push_back(90);
    const auto outcome = RunStep(*world.driver, world.model, {Decode(sequence)});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(StepDifference(world.model, *outcome, sequence, 1, 0, held), "") << form;
  }
}

TEST_P(WindowJobTest, RejectedDraftsNeitherObserveNorCount) {
  WindowWorld world(GetParam());
  CreateSequence more;
  more.draft_tokens = 4;
  for (const std::string& form : WindowForms()) {
    const std::vector<int64_t> tags = ClearTags(world, form, 88);
    TestSequence sequence = world.driver->Create(world.model, WindowPolicySpec(form), more);
    world.Prefill(sequence, tags, 88);
    ASSERT_TRUE(RunStep(*world.driver, world.model, {Prefill(sequence, 3)}).ok());
    StepPart next = Decode(sequence);
    next.rollback_to = 88;
    ASSERT_TRUE(RunStep(*world.driver, world.model, {next}).ok());
    HeldPositions want = OracleHeld(form, world.model.geometry, tags);
    for (auto& row : want) row.push_back(88);
    EXPECT_EQ(world.Held(sequence), want) << form;
    EXPECT_EQ(world.driver->Info(sequence)->last_job->detail, "") << form;
  }
}

TEST_P(WindowJobTest, TokensOnTrialNeitherObserveNorAreCompressed) {
  WindowWorld world(GetParam());
  CreateSequence more;
  more.draft_tokens = 4;
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.triggers = TriggerSpec{};
    const std::vector<int64_t> tags = ClearTags(world, form, 88);
    TestSequence sequence = world.driver->Create(world.model, policy, more);
    world.Prefill(sequence, tags, 88);
    ASSERT_TRUE(RunStep(*world.driver, world.model, {Prefill(sequence, 3)}).ok());
    const auto dry = world.Compress(sequence, policy, /*dry_run=*/true);
    const auto real = world.Compress(sequence, policy);
    ASSERT_TRUE(real.ok()) << real.status();
    EXPECT_EQ(dry->kept_tokens, real->kept_tokens) << form;
    StepPart next = Decode(sequence);
    next.rollback_to = 88;
    const auto outcome = RunStep(*world.driver, world.model, {next});
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    HeldPositions want = OracleHeld(form, world.model.geometry, tags);
    for (auto& row : want) row.push_back(88);
    EXPECT_EQ(world.Held(sequence), want) << form;
  }
}

TEST_P(WindowJobTest, PressureLeavesTokensOnTrialAlone) {
  WindowWorld world(GetParam());
  CreateSequence more;
  more.draft_tokens = 4;
  PolicySpec policy = WindowPolicySpec("snapkv");
  policy.triggers = TriggerSpec{.pressure = true};
  TestSequence sequence = world.driver->Create(world.model, policy, more);
  world.Prefill(sequence, world.driver->NewTags(188), 188);
  ASSERT_TRUE(RunStep(*world.driver, world.model, {Decode(sequence, 3)}).ok());
  ReclaimMemory reclaim;
  reclaim.target_bytes = 1;
  ASSERT_EQ(world.driver->Call(std::move(reclaim))->size(), 1u);
  world.driver->Settled();
  const auto info = world.driver->Info(sequence);
  EXPECT_EQ(info->last_job->outcome, JobOutcome::kCommitted);
  EXPECT_EQ(info->last_job->snapshot_tokens, 188 - 8);  // all but the window
  EXPECT_EQ(info->last_job->detail, "");
}

TEST_P(WindowJobTest, AForkTakesTheRowsAlongAndEachKeepsTheSame) {
  WindowWorld world(GetParam());
  for (const std::string& form : WindowForms()) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.triggers = TriggerSpec{};
    const std::vector<int64_t> tags = ClearTags(world, form, 90);
    TestSequence parent = world.Create(policy);
    world.Prefill(parent, tags, 33);
    auto child = world.driver->Fork(parent);
    ASSERT_TRUE(child.ok()) << child.status();
    ASSERT_TRUE(world.Compress(parent, policy).ok());
    ASSERT_TRUE(world.driver->Free(parent).ok());
    ASSERT_TRUE(world.Compress(*child, policy).ok());
    EXPECT_EQ(world.Held(*child), OracleHeld(form, world.model.geometry, tags)) << form;
  }
}

TEST_P(WindowJobTest, RowsOfAnotherWindowGoWithTheirPolicy) {
  WindowWorld world(GetParam());
  TestSequence sequence = world.Create(WindowPolicySpec("snapkv"));
  world.Prefill(sequence, world.driver->NewTags(20), 20);
  const int64_t in_use = world.driver->Settled().pool.in_use;
  SetPolicy set;
  set.sequence = sequence.id;
  set.policy = WindowPolicySpec("pyramidkv");
  ASSERT_TRUE(world.driver->Call(set).ok());
  EXPECT_EQ(world.driver->Settled().pool.in_use, in_use);  // as wide
  set.policy.window_tokens = 9;
  ASSERT_TRUE(world.driver->Call(set).ok());
  EXPECT_LT(world.driver->Settled().pool.in_use, in_use);
  world.Prefill(sequence, world.driver->NewTags(20), 20);
  world.driver->Held(sequence, 0, 0);  // waits for the job
  EXPECT_EQ(world.driver->Info(sequence)->last_job->detail, "");
}

TEST_P(WindowJobTest, RowsOfManyWindowsShareTheirSlabs) {
  WindowWorld world(GetParam());
  std::vector<int64_t> free_bytes;
  for (const int32_t window : {41, 42, 43, 44}) {
    PolicySpec policy = WindowPolicySpec("snapkv");
    policy.window_tokens = window;
    policy.budget_tokens = 100;
    TestSequence sequence = world.Create(policy);
    const auto step = world.driver->Begin({Prefill(sequence, 16, false)});
    ASSERT_TRUE(step.ok()) << step.status();
    free_bytes.push_back(step->room.free_bytes);
  }
  EXPECT_EQ(free_bytes.front() - free_bytes.back(), 3 * world.model.block_bytes);
}

TEST_P(WindowJobTest, AWindowWhoseRowsFitNoSlabIsRefused) {
  WindowWorld world(GetParam());
  CreateSequence create;
  create.model_id = world.model.id;
  create.policy = WindowPolicySpec("snapkv");
  create.policy.window_tokens = 4096;
  create.policy.budget_tokens = 5000;
  EXPECT_THAT(world.driver->Call(create), Refused(absl::StatusCode::kInvalidArgument,
                                                  Reason::kFieldInvalid, "policy.window_tokens"));
}

TEST_P(WindowJobTest, AnInspectionForeseesWhatNeedsNoScores) {
  WindowWorld world(GetParam());
  for (const std::string form : {"snapkv", "dynamickv"}) {
    PolicySpec policy = WindowPolicySpec(form);
    policy.triggers = TriggerSpec{};
    TestSequence sequence = world.Create(policy);
    world.Prefill(sequence, world.driver->NewTags(90), 90);
    InspectSequence inspect;
    inspect.sequence = sequence.id;
    const auto inspected = world.driver->Call(inspect);
    ASSERT_TRUE(inspected.ok()) << inspected.status();
    EXPECT_EQ(inspected->plan.has_value(), form == "snapkv");
  }
}

}  // namespace
}  // namespace sluice
