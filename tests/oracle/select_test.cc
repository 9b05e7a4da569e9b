// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sluice::oracle {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(SelectTest, TiesGoToTheLowerRowThenToTheLowerSlot) {
  EXPECT_THAT(SelectTop(Rows{{1, 2, 2}, {2, 2, 3}}, 3).chosen,
              ElementsAre(ElementsAre(1, 2), ElementsAre(2)));
}

TEST(SelectTest, NotANumberComesLast) {
  const Selection selection = SelectTop(Row{kNan, -5, kNan, 0}, 3);
  EXPECT_THAT(selection.chosen[0], ElementsAre(0, 1, 3));
  EXPECT_THAT(selection.best_first[0], ElementsAre(3, 1, 0));
}

TEST(SelectTest, ASegmentWithNoMoreSlotsThanKKeepsAll) {
  const Selection selection = SelectTop(Row{3, 1, 2}, 5);
  EXPECT_THAT(selection.chosen[0], ElementsAre(0, 1, 2));
  EXPECT_TRUE(std::isinf(selection.decisions.back().margin));
}

TEST(SelectTest, ProtectedSlotsComeFirstAndCount) {
  SelectRequest request;
  request.scores = {{9, 1, 8, 0}};
  request.is_protected = {{false, true, false, true}};
  request.k = 3;
  EXPECT_THAT(Select(request).chosen[0], ElementsAre(0, 1, 3));
}

TEST(SelectTest, RowsShareOneMaskWhenCombined) {
  SelectRequest request;
  request.scores = {{0, 5, 1}, {9, 0, 1}};
  request.k = 1;
  request.combine = Combine::kMean;
  EXPECT_THAT(Select(request).chosen, ElementsAre(ElementsAre(0), ElementsAre(0)));
  request.scores = {{0, 5, 3}, {4, 0, 3}};
  EXPECT_THAT(Select(request).chosen[0], ElementsAre(2));
  request.combine = Combine::kMax;
  EXPECT_THAT(Select(request).chosen[1], ElementsAre(1));
}

TEST(SelectTest, BoundsOfARowComeBeforeTheRowsCompete) {
  SelectRequest request;
  request.scores = {{10, 9, 8}, {3, 2, 1}};
  request.k = 3;
  request.at_least = {0, 1};
  EXPECT_THAT(Select(request).chosen, ElementsAre(ElementsAre(0, 1), ElementsAre(0)));
  request.at_least = {};
  request.at_most = {1, 3};
  EXPECT_THAT(Select(request).chosen, ElementsAre(ElementsAre(0), ElementsAre(0, 1)));
}

TEST(SelectTest, TheMarginOfARowAtItsBoundIsItsOwn) {
  SelectRequest request;
  request.scores = {{10, 9, 8}, {4, 3, 2}};
  request.k = 3;
  request.at_least = {0, 1};
  const DecisionLog log = Select(request).decisions;
  ASSERT_EQ(log.size(), 2u);
  EXPECT_EQ(log[0].head, 1);
  EXPECT_THAT(log[0].margin, DoubleNear(0.25, 1e-12));  // 4 against 3
  EXPECT_EQ(log[1].head, -1);
  EXPECT_THAT(log[1].margin, DoubleNear(1.0 / 9, 1e-12));  // 9 against 8
}

TEST(MarginTest, IsTheRelativeGapBetweenChosenAndNot) {
  const Decision decision = SelectTop(Row{1, 8, 10, 2}, 2).decisions.back();
  EXPECT_DOUBLE_EQ(decision.margin, 0.75);
  EXPECT_FALSE(decision.tied);
}

TEST(MarginTest, OfATieIsTheGapToTheNearestOtherScore) {
  const Decision decision = SelectTop(Row{10, 8, 8, 6}, 2).decisions.back();
  EXPECT_TRUE(decision.tied);
  EXPECT_DOUBLE_EQ(decision.margin, 0.2);  // 10 against 8; 6 is farther
}

TEST(MarginTest, ScoresThatSmallFloatsLoseAreClose) {
  EXPECT_LT(RelativeDifference(1e-38, 1e-45), 1e-4);
  EXPECT_DOUBLE_EQ(RelativeDifference(-2, 2), 2);
  EXPECT_TRUE(std::isinf(RelativeDifference(1, -std::numeric_limits<double>::infinity())));
}

TEST(MarginTest, TheLogKnowsItsSmallest) {
  EXPECT_TRUE(std::isinf(SmallestMargin({})));
  EXPECT_DOUBLE_EQ(SmallestMargin({{.margin = 0.5}, {.margin = 0.25}, {.margin = 1}}), 0.25);
}

TEST(MarginTest, AComparisonEndsAtTheFirstCloseDecision) {
  const DecisionLog log = {{.step = 9, .head = 1, .margin = 1e-6},
                           {.step = 4, .head = 0, .margin = 0.5},
                           {.step = 7, .head = 0, .margin = 1e-5}};
  EXPECT_EQ(FirstCloseStep(log), 7);
  EXPECT_EQ(FirstCloseStep(OfHead(log, 1)), 9);
  EXPECT_EQ(FirstCloseStep(log, 1e-7), std::numeric_limits<int>::max());
}

}  // namespace
}  // namespace sluice::oracle
