// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/job_plan.h"

#include "gtest/gtest.h"
#include "kernels/backend.h"

namespace sluice {
namespace {

RecipeSegment Segment(int32_t row, int32_t row_count, int64_t k) {
  RecipeSegment segment;
  segment.first_row = row;
  segment.row_count = row_count;
  segment.k = k;
  return segment;
}

JobRecipe RowByRow(int32_t rows, int64_t k) {
  JobRecipe recipe;
  for (int32_t row = 0; row < rows; ++row) recipe.segments.push_back(Segment(row, 1, k));
  return recipe;
}

JobPass Whole(const JobRecipe& recipe) {
  return {0, /*selects=*/true, 0, static_cast<int32_t>(recipe.segments.size())};
}

TEST(JobPlanTest, WorkspaceIsAScoreAndABitForEverySlotOfWholeWords) {
  EXPECT_EQ(WorkspaceBytes(0), 0);
  EXPECT_EQ(WorkspaceBytes(1), 32 * 4 + 4);
  EXPECT_EQ(WorkspaceBytes(64), 64 * 4 + 8);
}

TEST(JobPlanTest, DestinationsAreBoundedBySlotsPlacesAndAtMost) {
  JobRecipe recipe;
  recipe.segments = {Segment(0, 1, 100), Segment(1, 2, 40)};
  JobPass pass = Whole(recipe);
  const std::vector<int64_t> slots = {33, 64, 10};
  EXPECT_EQ(DestinationOffsets(recipe, pass, slots, 16), (std::vector<int64_t>{0, 3, 6, 7}));
  recipe.at_most = 16;
  EXPECT_EQ(DestinationOffsets(recipe, pass, slots, 16), (std::vector<int64_t>{0, 1, 2, 3}));
  pass.first_segment = pass.segment_count = 1;
  EXPECT_EQ(DestinationOffsets(recipe, pass, slots, 16), (std::vector<int64_t>{0, 0, 1, 2}));
  pass.selects = false;
  EXPECT_EQ(DestinationOffsets(recipe, pass, slots, 16), (std::vector<int64_t>{0, 0, 4, 5}));
}

TEST(JobPlanTest, BatchesFillASliceAndNeverDivideASegment) {
  JobRecipe recipe = RowByRow(4, 8);
  recipe.segments[3] = Segment(3, 2, 8);
  const std::vector<int64_t> slots(5, 32);
  const int64_t row = WorkspaceBytes(32);
  const std::vector<JobBatch> batches =
      CutBatches(recipe, Whole(recipe), slots, {}, {2 * row, 2 * row, 0});
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].row_count, 2);
  EXPECT_EQ(batches[1].first_row, 2);
  EXPECT_EQ(batches[1].row_count, 1);
  EXPECT_EQ(batches[2].first_row, 3);
  EXPECT_EQ(batches[2].row_count, 2);
  EXPECT_EQ(batches[2].first_segment, 3);
  EXPECT_EQ(batches[2].segment_count, 1);
}

TEST(JobPlanTest, ASegmentLargerThanASliceIsABatchOfItsOwn) {
  const JobRecipe recipe = RowByRow(2, 8);
  const std::vector<JobBatch> batches =
      CutBatches(recipe, Whole(recipe), {320, 320}, {}, {WorkspaceBytes(320), WorkspaceBytes(32), 0});
  EXPECT_EQ(batches.size(), 2u);
}

TEST(JobPlanTest, ASegmentLargerThanTheWorkspaceDoesNotFit) {
  const JobRecipe recipe = RowByRow(2, 8);
  const int64_t row = WorkspaceBytes(32);
  const BatchLimits limits{row, 1 << 20, 0};
  EXPECT_TRUE(CutBatches(recipe, Whole(recipe), {32, 64}, {}, limits).empty());
  EXPECT_EQ(CutBatches(recipe, {0, true, 0, 1}, {32, 64}, {}, limits).size(), 1u);
}

// Each layer of a batch may be an operation of its own, and a lane holds so many.
TEST(JobPlanTest, ABatchHasNoMoreRowsThanALaneHasRoomFor) {
  const JobRecipe recipe = RowByRow(300, 8);
  const std::vector<JobBatch> batches =
      CutBatches(recipe, Whole(recipe), std::vector<int64_t>(300, 32), {}, {1 << 20, 1 << 20, 0});
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[1].row_count, kMostScoredRows);
  EXPECT_LT(batches[1].row_count, Backend::kLaneCapacity / 4);
}

TEST(JobPlanTest, BatchesTakeNoMoreScoresThanASliceUnlessOneSegmentDoes) {
  const JobRecipe recipe = RowByRow(4, 8);
  const std::vector<JobBatch> batches =
      CutBatches(recipe, Whole(recipe), {32, 32, 32, 32}, {3, 4, 9, 1}, {1 << 20, 1 << 20, 7});
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].row_count, 2);
  EXPECT_EQ(batches[1].row_count, 1);
  EXPECT_EQ(batches[2].first_row, 3);
}

TEST(JobPlanTest, CountSegmentsThatShareRowsAreOneBatch) {
  JobRecipe recipe;
  recipe.count_segments = {Segment(0, 2, 1), Segment(0, 4, 1), Segment(4, 1, 1)};
  const std::vector<int64_t> slots(5, 32);
  const int64_t row = WorkspaceBytes(32);
  EXPECT_EQ(CutCounts(recipe, slots, 5 * row).size(), 1u);
  const std::vector<JobBatch> batches = CutCounts(recipe, slots, 4 * row);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].row_count, 4);
  EXPECT_EQ(batches[0].segment_count, 2);
  EXPECT_EQ(batches[1].first_row, 4);
  EXPECT_EQ(batches[1].first_segment, 2);
  EXPECT_TRUE(CutCounts(recipe, slots, 3 * row).empty());
}

TEST(JobPlanTest, TheResultIsDenseAndNamesReusedPages) {
  Job job;
  job.recipe = RowByRow(3, 20);
  job.pass = Whole(job.recipe);
  job.kept = {20, 0, 16};
  job.destination_offsets = {0, 3, 4, 5};
  job.destination_pages = {100, 101, 102, 103, 104};
  job.reused = {kNoPage, kNoPage, kNoPage, kNoPage, 7};
  const JobResult result = ResultOf(job, 16, nullptr);
  EXPECT_EQ(result.rows, (std::vector<RowExtent>{{0, 20}, {2, 0}, {2, 16}}));
  EXPECT_EQ(result.pages, (std::vector<PageId>{{100}, {101}, {7}}));
}

TEST(JobPlanTest, RowsThatAPassLeavesAloneKeepTheirPages) {
  Bodies old;
  old.rows = {{0, 20}, {2, 64}, {6, 1}};
  old.pages = {{1}, {2}, {3}, {4}, {5}, {6}, {7}};
  Job job;
  job.recipe = RowByRow(3, 20);
  job.pass = {0, /*selects=*/true, 1, 1};
  job.kept = {20, 17, 1};
  job.destination_offsets = {0, 0, 2, 2};
  job.destination_pages = {100, 101};
  job.reused = {3, kNoPage};
  const JobResult result = ResultOf(job, 16, &old);
  EXPECT_EQ(result.rows, (std::vector<RowExtent>{{0, 20}, {2, 17}, {4, 1}}));
  EXPECT_EQ(result.pages, (std::vector<PageId>{{1}, {2}, {3}, {101}, {7}}));
}

}  // namespace
}  // namespace sluice
