// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_passes.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

JobRecipe RowByRow(std::vector<int64_t> places) {
  JobRecipe recipe;
  for (size_t row = 0; row < places.size(); ++row) {
    RecipeSegment segment;
    segment.first_row = static_cast<int32_t>(row);
    segment.k = places[row];
    recipe.segments.push_back(segment);
  }
  return recipe;
}

JobPass TakeIn(int64_t snapshot, int32_t rows) { return {snapshot, false, 0, rows}; }
JobPass Heads(int64_t snapshot, int32_t first, int32_t count) {
  return {snapshot, true, first, count};
}

TEST(JobPassesTest, FullPagesOfBodyAndTailAreTakenOverWhereTheyLieOnBoundaries) {
  const HeldRows held{{32, 40}, 100, 8, 16};
  EXPECT_TRUE(IsTakenOver(held, 0, 1, 132));
  EXPECT_FALSE(IsTakenOver(held, 0, 2, 132));  // the tail starts inside a page
  EXPECT_TRUE(IsTakenOver(held, 1, 1, 132));
  EXPECT_FALSE(IsTakenOver(held, 1, 2, 132));  // half of it is body, half tail
  EXPECT_TRUE(IsTakenOver(held, 1, 3, 132));
  EXPECT_FALSE(IsTakenOver(held, 1, 4, 132));  // partly filled
}

TEST(JobPassesTest, TheTailIsTakenInThenAsManyHeadsAsFitTakeTurns) {
  const JobRecipe recipe = RowByRow({400, 400, 400});
  JobPasses passes(recipe, 800);
  HeldRows held{{0, 0, 0}, 0, 0, 16};
  EXPECT_EQ(passes.Next(held, 24), std::nullopt);  // not one head
  EXPECT_EQ(passes.Next(held, 25), TakeIn(800, 3));
  passes.Passed(TakeIn(800, 3));
  held = {{800, 800, 800}, 800, 0, 16};
  EXPECT_EQ(passes.Next(held, 60), Heads(800, 0, 2));
  passes.Passed(Heads(800, 0, 2));
  held.body_slots = {400, 400, 800};
  EXPECT_FALSE(passes.Done(held));
  EXPECT_EQ(passes.Next(held, 60), Heads(800, 2, 1));
  passes.Passed(Heads(800, 2, 1));
  held.body_slots = {400, 400, 400};
  EXPECT_TRUE(passes.Done(held));
}

TEST(JobPassesTest, APartlyFilledBlockIsLeftForLaterWhereItsCopiesDoNotFit) {
  const JobRecipe recipe = RowByRow({16, 16});
  const JobPasses passes(recipe, 40);
  const HeldRows held{{0, 0}, 0, 0, 16};
  EXPECT_EQ(passes.Next(held, 3), TakeIn(40, 2));
  EXPECT_EQ(passes.Next(held, 2), TakeIn(32, 2));
  EXPECT_EQ(passes.Next(held, 1), TakeIn(32, 2));
  EXPECT_EQ(passes.Next(held, 0), std::nullopt);
}

TEST(JobPassesTest, ATailThatHasToBeCopiedComesAfterTheBodiesAndInPieces) {
  const JobRecipe recipe = RowByRow({80, 80});
  JobPasses passes(recipe, 260);
  HeldRows held{{100, 100}, 100, 0, 16};
  EXPECT_EQ(passes.Next(held, 5), Heads(100, 0, 1));
  passes.Passed(Heads(100, 0, 1));
  passes.Passed(Heads(100, 1, 1));
  held.body_slots = {79, 79};  // 4 full pages each
  // Two blocks fit with a head after them: two times 3 pages, and 5.
  EXPECT_EQ(passes.Next(held, 11), TakeIn(132, 2));
  EXPECT_EQ(passes.Next(held, 8), std::nullopt);
  EXPECT_EQ(passes.Next(held, 27), TakeIn(260, 2));
}

TEST(JobPassesTest, WithScoresOfAWindowNoHeadHasItsTurnBeforeTheTailIsTakenInWhole) {
  JobRecipe recipe = RowByRow({80, 80});
  recipe.scorer = Scorer::kWindow;
  JobPasses passes(recipe, 260);
  HeldRows held{{100, 100}, 100, 0, 16};
  EXPECT_EQ(passes.Next(held, 11), std::nullopt);  // two blocks and a head would fit
  EXPECT_EQ(passes.Next(held, 27), TakeIn(260, 2));
  passes.Passed(TakeIn(260, 2));
  held = {{260, 260}, 260, 0, 16};
  EXPECT_EQ(passes.Next(held, 5), Heads(260, 0, 1));
}

TEST(JobPassesTest, HeadsThatLoseNothingHaveNoTurn) {
  JobRecipe recipe = RowByRow({64, 16, 64, 16});
  JobPasses passes(recipe, 64);
  const HeldRows held{{64, 64, 64, 64}, 64, 0, 16};
  EXPECT_EQ(passes.Next(held, 100), Heads(64, 1, 1));
  passes.Passed(Heads(64, 1, 1));
  EXPECT_EQ(passes.Next(held, 100), Heads(64, 3, 1));
  passes.Passed(Heads(64, 3, 1));
  EXPECT_TRUE(passes.Done(held));
  recipe.segments[0].drop_below_position = 1;  // only positions can tell
  EXPECT_FALSE(passes.Done(held));
}

TEST(JobPassesTest, AHeadThatDoesNotFitLetsLaterOnesGoAhead) {
  const JobRecipe recipe = RowByRow({48, 16});
  const JobPasses passes(recipe, 64);
  const HeldRows held{{64, 64}, 64, 0, 16};
  EXPECT_EQ(passes.Next(held, 2), Heads(64, 1, 1));
  EXPECT_EQ(passes.Next(held, 0), std::nullopt);
}

TEST(JobPassesTest, RowsThatCompeteTakeTheirTurnTogether) {
  JobRecipe recipe = RowByRow({40});
  recipe.segments[0].row_count = 2;
  const JobPasses passes(recipe, 32);
  const HeldRows held{{32, 32}, 32, 0, 16};
  EXPECT_EQ(passes.Next(held, 3), std::nullopt);
  EXPECT_EQ(passes.Next(held, 4), Heads(32, 0, 1));
}

}  // namespace
}  // namespace sluice
