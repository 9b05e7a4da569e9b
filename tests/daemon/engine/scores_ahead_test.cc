// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Layers that are scored while the step computes later ones.

#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/window_oracle.h"

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
    sequence_ = driver_->Create(model_, WindowPolicySpec("dynamickv"), more);
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

}  // namespace
}  // namespace sluice
