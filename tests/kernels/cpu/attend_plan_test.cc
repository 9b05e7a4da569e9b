// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_plan.h"

#include <gtest/gtest.h>

#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice::cpu {
namespace {

using kernels_testing::MakeLayer;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr int64_t kScratchFloats = 1 << 17;

class AttendPlanTest : public testing::Test {
 protected:
  AttendPlanTest() {
    format_.k_dim = 64;
    format_.v_dim = 64;
  }

  const AttendPlan& Plan(const TestBatch& batch, int32_t kv_heads, int32_t group,
                         bool mass = false) {
    layer_ = MakeLayer(format_, 0, kv_heads, group);
    view_ = batch.View();
    AttendArgs args;
    args.view = &view_;
    args.layer = &layer_;
    args.token_count = view_.total_tokens;
    args.accumulate_mass = mass;
    pool_ = batch.pool();
    plan_.Make(pool_, args, kScratchFloats);
    return plan_;
  }

  PageFormat format_;
  LayerShape layer_;
  StepView view_;
  PoolView pool_;
  AttendPlan plan_;
};

TEST_F(AttendPlanTest, SegmentsHoldEveryChunkOnceAndInOrder) {
  TestBatch batch(format_, 2, 1);
  batch.AddSequence(SequenceShape{3000, -1, -1, 4000, 1});
  batch.AddSequence(SequenceShape{0, -1, -1, 90, 1});
  const AttendPlan& plan = Plan(batch, 2, 4);
  ASSERT_EQ(plan.units().size(), 4u);
  bool any_cut = false;
  for (const AttendUnit& unit : plan.units()) {
    int32_t chunk = unit.first_chunk;
    for (int32_t i = 0; i < unit.segment_count; ++i) {
      const AttendSegment& segment = plan.segments()[unit.first_segment + i];
      EXPECT_EQ(segment.first_chunk, chunk);
      EXPECT_LT(segment.first_chunk, segment.last_chunk);
      chunk = segment.last_chunk;
    }
    EXPECT_EQ(chunk, unit.last_chunk);
    any_cut |= unit.segment_count > 1;
  }
  EXPECT_TRUE(any_cut);
}

TEST_F(AttendPlanTest, ItemsHoldEverySegmentOnce) {
  TestBatch batch(format_, 2, 2);
  for (int i = 0; i < 40; ++i) batch.AddSequence(SequenceShape{0, -1, -1, 200, 1});
  const AttendPlan& plan = Plan(batch, 2, 4);
  ASSERT_GE(plan.item_starts().size(), 2u);
  EXPECT_EQ(plan.item_starts().front(), 0);
  EXPECT_EQ(plan.item_starts().back(), static_cast<int32_t>(plan.segments().size()));
  EXPECT_LT(plan.item_starts().size(), plan.segments().size());  // short rows share items
  for (size_t i = 1; i < plan.item_starts().size(); ++i) {
    EXPECT_LT(plan.item_starts()[i - 1], plan.item_starts()[i]);
  }
}

// Chunks at the end of a span are seldom full. What is cut keeps its weights in shared
// memory for the mass, which costs more than the cut gains.
TEST_F(AttendPlanTest, RowsOfManySpansAreCutByTheirSlots) {
  TestBatch batch(format_, 1, 5);
  batch.AddSequence(SequenceShape{257, -1, 0, 3500, 1});
  batch.AddSequence(SequenceShape{0, -1, -1, 4095, 1});
  const AttendPlan& plan = Plan(batch, 1, 4, true);
  ASSERT_EQ(plan.units().size(), 2u);
  EXPECT_EQ(plan.units()[0].last_chunk, 16);
  EXPECT_EQ(plan.units()[1].last_chunk, 16);
  EXPECT_EQ(plan.units()[0].segment_count, 1);
  EXPECT_EQ(plan.units()[0].mass, MassSource::kScratch);
  EXPECT_EQ(plan.units()[1].segment_count, 2);
}

TEST_F(AttendPlanTest, QueryRowsAreCutAtMultiplesOf64) {
  TestBatch batch(format_, 1, 3);
  batch.AddSequence(SequenceShape{0, -1, -1, 10, 50});
  const AttendPlan& plan = Plan(batch, 1, 3);
  ASSERT_EQ(plan.units().size(), 3u);
  EXPECT_EQ(plan.units()[1].first_row, 64);
  EXPECT_EQ(plan.units()[2].first_row, 128);
  EXPECT_EQ(plan.units()[2].rows, 150 - 128);
}

TEST_F(AttendPlanTest, MassComesFromTheCheapestSource) {
  TestBatch batch(format_, 1, 4);
  batch.AddSequence(SequenceShape{0, -1, -1, 200, 1});   // one segment
  batch.AddSequence(SequenceShape{0, -1, -1, 9000, 1});  // several
  batch.AddSequence(SequenceShape{0, -1, -1, 10, 30});   // many query rows
  const AttendPlan& plan = Plan(batch, 1, 4, true);
  ASSERT_EQ(plan.units().size(), 4u);
  EXPECT_EQ(plan.units()[0].mass, MassSource::kScratch);
  EXPECT_EQ(plan.units()[1].mass, MassSource::kShared);
  EXPECT_EQ(plan.units()[2].mass, MassSource::kKeys);
  EXPECT_EQ(plan.units()[3].mass, MassSource::kKeys);
  EXPECT_EQ(plan.mass_pieces().front().first_unit, 1);
}

}  // namespace
}  // namespace sluice::cpu
