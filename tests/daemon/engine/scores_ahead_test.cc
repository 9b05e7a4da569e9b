// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Layers that are scored while the step computes later ones.

#include <algorithm>

#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/window_oracle.h"
#include "tests/golden/l2norm_examples.h"

namespace sluice {
namespace {

const size_t kWindowScoreKind = Operation(WindowScoreArgs()).index();

class ScoresAheadTest : public ::testing::Test {
 protected:
  static constexpr int64_t kTokens = 90;

  ScoresAheadTest() {
    ModelGeometry geometry = SmallGeometry();
    geometry.layers.resize(3, geometry.layers[0]);
    model_ = driver_->Register(geometry);
    tags_ = driver_->NewTags(kTokens);
    while (OracleHeld("dynamickv", model_.geometry, tags_).empty()) {
      tags_ = driver_->NewTags(kTokens);
    }
  }

  // Opens the step that ends a prefill.
  void BeginLastStep(CreateSequence more = {}) {
    sequence_ = driver_->Create(model_, policy_, more);
    StepPart part = Prefill(sequence_, kTokens);
    part.tags = tags_;
    const auto begun = driver_->Begin({part});
    ASSERT_TRUE(begun.ok()) << begun.status();
    step_ = begun->step;
  }
  void AttendTo(int32_t layer) {
    ASSERT_TRUE(SendAttend(*driver_, model_, step_, layer, tags_).Wait().ok());
  }
  int64_t Scored() { return gate_->SubmittedOfKind(kWindowScoreKind); }
  void ExpectKeptAsByTheOracle() {
    sequence_.tags = tags_;
    EXPECT_EQ(driver_->HeldRows(model_, sequence_),
              OracleHeld("dynamickv", model_.geometry, tags_));
  }
  void ExpectNothingLeft() {
    gate_->Open(Lane::kBackground);
    ASSERT_TRUE(driver_->Free(sequence_).ok());
    const EngineStatus status = driver_->Settled();
    EXPECT_EQ(status.pool.in_use, 0);
    EXPECT_EQ(status.table_used_bytes, 0);
  }

  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  std::unique_ptr<EngineDriver> driver_ = EngineDriver::Gated(gate_);
  TestModel model_;
  PolicySpec policy_ = WindowPolicySpec("dynamickv");
  TestSequence sequence_;
  std::vector<int64_t> tags_;
  uint64_t step_ = 0;
};

TEST_F(ScoresAheadTest, ALayerIsScoredBeforeTheNextIsAttendedTo) {
  BeginLastStep();
  for (const int32_t layer : {0, 1}) {
    EXPECT_EQ(Scored(), layer);
    AttendTo(layer);
    EXPECT_EQ(Scored(), layer + 1);
    gate_->AwaitIdle(Lane::kBackground);
  }
  AttendTo(2);
  ExpectKeptAsByTheOracle();
  EXPECT_EQ(Scored(), 3);  // none twice
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, WhatHasNotPassedByThenTheJobScores) {
  BeginLastStep();
  AttendTo(0);
  gate_->AwaitIdle(Lane::kBackground);
  gate_->Hold(Lane::kBackground);
  AttendTo(1);
  AttendTo(2);
  gate_->Open(Lane::kBackground);
  ExpectKeptAsByTheOracle();
  // As many again as had not passed when the job was planned, which is a race.
  EXPECT_GE(Scored(), 3);
  EXPECT_LE(Scored(), 5);
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, AnUndoneStepLeavesNothingBehind) {
  BeginLastStep();
  gate_->Hold(Lane::kBackground);
  AttendTo(0);
  AttendTo(1);
  EXPECT_EQ(Scored(), 2);
  ASSERT_TRUE(driver_->Abort(step_).ok());
  EXPECT_FALSE(driver_->Info(sequence_)->last_job.has_value());
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, AStepAfterAnUndoneOneBeginsAnew) {
  BeginLastStep();
  gate_->Hold(Lane::kBackground);
  AttendTo(0);
  ASSERT_TRUE(driver_->Abort(step_).ok());
  gate_->Open(Lane::kBackground);
  StepPart part = Prefill(sequence_, kTokens);
  part.tags = tags_;
  ASSERT_TRUE(RunStep(*driver_, model_, {part}).ok());
  ExpectKeptAsByTheOracle();
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, WithDraftsItWaitsForTheRollback) {
  CreateSequence more;
  more.draft_tokens = 2;
  BeginLastStep(more);
  for (const int32_t layer : {0, 1, 2}) AttendTo(layer);
  EXPECT_EQ(Scored(), 0);
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, ChunksBeforeTheLastAreNotScored) {
  sequence_ = driver_->Create(model_, WindowPolicySpec("dynamickv"));
  const auto half = tags_.begin() + kTokens / 2;
  StepPart first = Prefill(sequence_, kTokens / 2, false);
  first.tags.assign(tags_.begin(), half);
  ASSERT_TRUE(RunStep(*driver_, model_, {first}).ok());
  EXPECT_EQ(Scored(), 0);
  StepPart last = Prefill(sequence_, kTokens - kTokens / 2);
  last.tags.assign(half, tags_.end());
  ASSERT_TRUE(RunStep(*driver_, model_, {last}).ok());
  ExpectKeptAsByTheOracle();
  EXPECT_GE(Scored(), 3);
  ExpectNothingLeft();
}

TEST_F(ScoresAheadTest, TokensThatWereTakenBackSinceAreNotWhatIsSelectedBy) {
  policy_.visible = Visible::kWhenReady;
  policy_.triggers = TriggerSpec{.prefill_end = true, .every_tokens = 1000};
  PolicySpec occupies = golden::L2Count(20);
  occupies.visible = Visible::kWhenReady;
  TestSequence occupant = driver_->Create(model_, occupies);
  BeginLastStep();
  AttendTo(0);
  AttendTo(1);
  gate_->AwaitIdle(Lane::kBackground);
  gate_->Hold(Lane::kBackground);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(occupant, 60)}).ok());
  gate_->AwaitWaiting(Lane::kBackground, 1);
  AttendTo(2);  // its job comes after the other
  sequence_.tags = tags_;
  StepPart other = Decode(sequence_, 5);
  other.rollback_to = kTokens - other.tokens;
  do {
    other.tags = driver_->NewTags(other.tokens);
    std::copy(other.tags.begin(), other.tags.end(), tags_.end() - other.tokens);
  } while (OracleHeld("dynamickv", model_.geometry, tags_).empty());
  ASSERT_TRUE(RunStep(*driver_, model_, {other}).ok());
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_EQ(driver_->Info(sequence_)->last_job->outcome, JobOutcome::kCommitted);
  ExpectKeptAsByTheOracle();
}

TEST_F(ScoresAheadTest, AStepTakesNoPageThatIsScoredInVain) {
  sequence_ = driver_->Create(model_, policy_);
  ASSERT_TRUE(RunStep(*driver_, model_, {Prefill(sequence_, 64, false)}).ok());
  const auto last = driver_->Begin({Prefill(sequence_, kTokens)});
  ASSERT_TRUE(last.ok()) << last.status();
  gate_->Hold(Lane::kBackground);
  step_ = last->step;
  AttendTo(0);
  ASSERT_TRUE(driver_->Abort(step_).ok());
  const auto retired = [this] {
    return driver_->StatusOnce([](const auto& status) { return !status.giving_back; })
        .pool.retired;
  };
  const int64_t before = retired();
  StepPart again = Prefill(sequence_, 40, false);
  again.rollback_to = 10;
  const auto begun = driver_->Begin({again});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(retired(), before + 3 * model_.block_bytes);
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  ExpectNothingLeft();
}

}  // namespace
}  // namespace sluice
