// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Which rows the rings of a sequence still hold, from what its steps did.

#include "daemon/engine/observations.h"

#include "daemon/engine/state.h"
#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr int32_t kCapacity = 10;  // a window of 8 and 2 tokens on trial

class ObservedRowsTest : public ::testing::Test {
 protected:
  ObservedRowsTest() {
    sequence.rings.emplace();
    sequence.rings->layout = MakeObservationLayout(kCapacity, 1, 16, Dtype::kF32);
  }

  // A step of `count` tokens from `base` on, of which the last `observed` were kept.
  void Step(int64_t base, int64_t count, int64_t observed) {
    CutObserved(sequence, base);
    sequence.observed_end = base + count;
    if (observed > 0) CountObserved(sequence, base + count - observed, base + count);
  }

  int64_t Rows(int64_t length) const { return ObservedRows(sequence, length, 8); }

  SequenceState sequence;
};

TEST_F(ObservedRowsTest, StepsThatFollowOneAnotherAddUp) {
  EXPECT_EQ(Rows(0), 0);
  Step(0, 3, 3);
  EXPECT_EQ(Rows(3), 3);
  Step(3, 2, 2);
  EXPECT_EQ(Rows(5), 5);
  Step(5, 40, 40);
  EXPECT_EQ(Rows(45), 8);
}

TEST_F(ObservedRowsTest, OnlyRowsAmongTheLastPositionsCount) {
  Step(0, 20, 20);
  Step(20, 3, 0);
  EXPECT_EQ(Rows(23), 5);
  Step(23, 8, 0);
  EXPECT_EQ(Rows(31), 0);
}

TEST_F(ObservedRowsTest, RowsBeforeAGapDoNotCount) {
  Step(0, 20, 20);
  Step(20, 2, 0);
  Step(22, 3, 3);
  EXPECT_EQ(Rows(25), 3);
}

TEST_F(ObservedRowsTest, LastQueriesOfALongStepStandAlone) {
  Step(0, 4, 4);
  Step(4, 100, 8);
  EXPECT_EQ(Rows(104), 8);
  Step(104, 100, 5);
  EXPECT_EQ(Rows(204), 5);
}

TEST_F(ObservedRowsTest, ARollbackWithinTheTrialLosesNoRowOfTheWindow) {
  Step(0, 30, 30);
  CutObserved(sequence, 28);
  EXPECT_EQ(Rows(28), 8);
}

TEST_F(ObservedRowsTest, AFurtherRollbackLosesTheRowsThatWereOverwritten) {
  Step(0, 30, 30);
  CutObserved(sequence, 25);
  EXPECT_EQ(Rows(25), 5);
  Step(25, 1, 1);
  EXPECT_EQ(Rows(26), 6);
}

// A step that was undone wrote over the oldest rows.
TEST_F(ObservedRowsTest, AnUndoneStepLosesTheRowsThatItOverwrote) {
  Step(0, 20, 20);
  Step(20, 6, 0);
  EXPECT_EQ(Rows(20), 4);
}

}  // namespace
}  // namespace sluice
