// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/attend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/device_backend.h"
#include "kernels/device/turns.h"
#include "tests/kernels/sim/sim_grid.h"
#include "tests/kernels/sim/sim_runtime.h"
#include "tests/kernels/testing/operations.h"
#include "tests/kernels/testing/test_batch.h"

namespace sluice {
namespace {

using device::AttendPlan;
using device::AttendTotals;
using device::AttendUnit;
using kernels_testing::AttendResult;
using kernels_testing::FillOptions;
using kernels_testing::MakeLayer;
using kernels_testing::Random;
using kernels_testing::RandomTensor;
using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

std::unique_ptr<DeviceBackend> Make(const PoolView& pool, int64_t scratch_bytes, uint64_t seed,
                                    Arithmetic arithmetic) {
  DeviceBackend::Options options;
  options.pool = pool;
  options.staging_bytes = int64_t{1} << 20;
  options.scratch_bytes = scratch_bytes;
  options.arithmetic = arithmetic;
  return std::make_unique<DeviceBackend>(options, "emulated",
                                         std::make_unique<sim::SimRuntime>(seed));
}

// In little scratch rows are worked on one after the other, and items are whole units.
void ExpectSameHoweverWorkIsCut(Arithmetic arithmetic) {
  kernels_testing::UsePageLayout(PageLayout::kSwizzled);
  const PageFormat format{Dtype::kBf16, {}, {}, 32, 64, 64, 0, PageLayout::kSwizzled};
  TestBatch batch(format, 2, 11, FillOptions{0.05, 0.05, true});
  batch.AddSequence(SequenceShape{700, -1, -1, 900, 1});
  batch.AddSequence(SequenceShape{0, -1, -1, 300, 9});
  batch.StoreStepTokens();
  batch.FillScores();
  const LayerShape layer = MakeLayer(format, 0, 2, 3);
  const int64_t tokens = batch.View().total_tokens;
  const auto q = RandomTensor(Dtype::kF32, tokens * layer.q_heads * layer.k_dim, Random({5}));
  const MassRule rule{0.9f, false, GroupReduce::kMean};
  TestBatch first = batch;
  const AttendResult expected = RunAttend(*Make(first.pool(), 8 << 20, 1, arithmetic), first,
                                          layer, q, 0, tokens, &rule);
  for (const int64_t scratch_bytes : {10 << 10, 12 << 10, 24 << 10, 64 << 10}) {
    SCOPED_TRACE(scratch_bytes);
    TestBatch other = batch;
    const AttendResult result = RunAttend(*Make(other.pool(), scratch_bytes, 2, arithmetic),
                                          other, layer, q, 0, tokens, &rule);
    EXPECT_TRUE(expected.out.bytes == result.out.bytes);
    EXPECT_EQ(expected.lse, result.lse);
    ExpectSamePools(first.world(), other.world(), kernels_testing::kBitForBit);
  }
}

TEST(DeviceAttendTest, HowWorkIsCutDoesNotShow) {
  ExpectSameHoweverWorkIsCut(Arithmetic::kFp32);
  ExpectSameHoweverWorkIsCut(Arithmetic::kBf16);
}

// What is cut of units with these chunks, and how many floats of states are used.
struct Cut {
  std::vector<AttendUnit> units;
  AttendTotals totals;
};

Cut CutUnits(const std::vector<int32_t>& chunks, int64_t state_floats) {
  Cut cut;
  for (const int32_t count : chunks) {
    AttendUnit unit;
    unit.queries = 4;
    unit.last_chunk = count;
    cut.units.push_back(unit);
  }
  AttendPlan plan;
  plan.units = cut.units.data();
  plan.totals = &cut.totals;
  plan.state_floats = state_floats;
  using device::AttendCutKernel;
  sim::SimGrid(1).Run(AttendCutKernel{plan, static_cast<int32_t>(chunks.size()), 0, 64},
                      {1, AttendCutKernel::kThreads, AttendCutKernel::kSharedBytes});
  return cut;
}

// Expects every chunk in one item, and states that do not meet.
void ExpectWholeCut(const Cut& cut, int64_t state_floats) {
  int32_t item = 0;
  int32_t state = 0;
  for (const AttendUnit& unit : cut.units) {
    EXPECT_EQ(unit.first_item, item);
    const int32_t items = ItemsOf(unit, cut.totals.item_chunks);
    EXPECT_GE(items * cut.totals.item_chunks, unit.chunks());
    EXPECT_EQ(unit.first_state, items > 1 ? state : -1);
    if (items > 1) {
      state += (unit.chunks() - cut.totals.item_chunks + 1) * device::StateFloats(unit.queries, 64);
    }
    item += items;
  }
  EXPECT_EQ(cut.totals.items, item);
  EXPECT_LE(state, state_floats);
}

TEST(DeviceAttendTest, UnitsAreCutEvenly) {
  std::vector<int32_t> chunks;
  for (int32_t i = 0; i < 300; ++i) chunks.push_back(i % 7 == 0 ? 60 : i % 5);
  const Cut cut = CutUnits(chunks, int64_t{1} << 30);
  ExpectWholeCut(cut, int64_t{1} << 30);
  EXPECT_EQ(cut.totals.item_chunks, 7);  // 3 094 chunks for 512 items are 6 and a little
}

TEST(DeviceAttendTest, LittleMemoryForStatesMakesItemsLonger) {
  const std::vector<int32_t> chunks = {60, 0, 3, 17, 1};
  const int32_t state = device::StateFloats(4, 64);
  for (const int64_t states : {0, 1, 50, 70, 200}) {
    const Cut cut = CutUnits(chunks, states * state);
    ExpectWholeCut(cut, states * state);
    EXPECT_EQ(cut.totals.items > 5, states >= 50);
  }
}

TEST(DeviceAttendTest, TurnsAreWithinTheirBound) {
  Random random({17});
  for (int i = 0; i < 100000; ++i) {
    const double angle = (random.Chance(0.5) ? 1e6 : 10.0) * double{random.Normal()};
    const Turn turn = device::TurnBy(angle);
    ASSERT_NEAR(turn.cosine, std::cos(angle), 1e-7) << angle;
    ASSERT_NEAR(turn.sine, std::sin(angle), 1e-7) << angle;
  }
}

}  // namespace
}  // namespace sluice
