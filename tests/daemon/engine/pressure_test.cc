// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Budget that sequences give because the pool is short of memory.

#include "daemon/engine/pressure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "gmock/gmock.h"
#include "tests/daemon/engine/backends.h"

namespace sluice {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kPageTokens = 16;

PolicySpec UnderPressure(PolicySpec spec) {
  spec.triggers = TriggerSpec{.pressure = true};
  return spec;
}

// A budget that only pressure makes matter.
PolicySpec L2Norm() {
  PolicySpec spec{.preset = "l2norm", .budget_tokens = 100'000};
  spec.protect_first_tokens = 4;
  spec.protect_last_tokens = 20;
  return UnderPressure(spec);
}

EngineOptions Options() {
  EngineOptions options = SmallOptions();
  options.high_watermark = 0.10;
  options.low_watermark = 0.05;
  return options;
}

double KeyNorm(const TestSequence& sequence, size_t row, int64_t position) {
  const std::vector<float> key =
      TokenVector(sequence.tags[static_cast<size_t>(position)], static_cast<int32_t>(row / 2),
                  VectorKind::kKey, static_cast<int32_t>(row % 2), 16);
  return std::sqrt(std::inner_product(key.begin(), key.end(), key.begin(), 0.0));
}

// Sequences of one model; the watermarks are some hundred blocks.
class Pool {
 public:
  explicit Pool(std::unique_ptr<EngineDriver> driver)
      : driver_(std::move(driver)), model_(driver_->Register()) {}

  EngineDriver& driver() { return *driver_; }
  const TestModel& model() const { return model_; }
  int64_t high_blocks() { return WatermarkBytes().first / model_.block_bytes; }
  int64_t low_bytes() { return WatermarkBytes().second; }

  TestSequence Create(PolicySpec policy, int32_t priority = 0, int32_t tenant = 0) {
    CreateSequence more;
    more.priority = priority;
    more.caller.tenant = tenant;
    return driver_->Create(model_, std::move(policy), more);
  }
  // In steps of a prefill that does not end.
  void Add(TestSequence& sequence, int64_t blocks) {
    ASSERT_TRUE(
        AppendStep(*driver_, model_, Prefill(sequence, blocks * kPageTokens, false)).ok());
  }
  TestSequence Filled(int64_t blocks, PolicySpec policy, int32_t priority = 0) {
    TestSequence sequence = Create(std::move(policy), priority);
    Add(sequence, blocks);
    return sequence;
  }
  // Once nothing moves any more, whatever the engine had to rest for.
  EngineStatus Rested() {
    driver_->Settled();
    for (int i = 0; i < 3; ++i) {
      driver_->Advance(2 * Pressure::kRest);
      driver_->Settled();
    }
    return driver_->Status();
  }
  int64_t HeldTokens(const TestSequence& sequence) {
    const absl::StatusOr<SequenceInfo> info = driver_->Info(sequence);
    int64_t tokens = 0;
    for (const RowUsage& row : info->rows) tokens += row.kept_tokens;
    return tokens;
  }
  // Of all rows, were nothing evicted.
  int64_t AllTokens(const TestSequence& sequence) { return 4 * sequence.length(); }
  bool IsWhole(const TestSequence& sequence) {
    return HeldTokens(sequence) == AllTokens(sequence);
  }
  int64_t UsedBytes() {
    const PoolBytes pool = driver_->Settled().pool;
    return pool.in_use;
  }
  std::vector<BudgetCut> Reclaim(int64_t bytes, bool dry_run) {
    ReclaimMemory command;
    command.target_bytes = bytes;
    command.dry_run = dry_run;
    const auto cuts = driver_->Call(std::move(command));
    EXPECT_TRUE(cuts.ok()) << cuts.status();
    return *cuts;
  }

 private:
  // Without the workspace, which is not a sequence's.
  std::pair<int64_t, int64_t> WatermarkBytes() {
    const EngineStatus status = driver_->Status();
    const int64_t other = status.pool.reserved;
    return {status.pressure.high_watermark_bytes - other,
            status.pressure.low_watermark_bytes - other};
  }

  std::unique_ptr<EngineDriver> driver_;
  TestModel model_;
};

using PressureTest = OnEveryBackend;
SLUICE_ON_EVERY_BACKEND(PressureTest);

TEST_P(PressureTest, TheLowestPriorityGivesUntilTheLowWatermark) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence high = pool.Filled(30, L2Norm(), 5);
  TestSequence low = pool.Filled(pool.high_blocks() - 60, L2Norm(), -5);
  TestSequence full = pool.Filled(25, {});
  EXPECT_FALSE(pool.Rested().pressure.active);
  EXPECT_TRUE(pool.IsWhole(low));
  pool.Add(full, 10);
  const EngineStatus after = pool.Rested();
  EXPECT_FALSE(after.pressure.active);
  EXPECT_LE(pool.UsedBytes(), pool.low_bytes());
  EXPECT_LT(pool.HeldTokens(low), pool.AllTokens(low) / 2 + 1);
  EXPECT_TRUE(pool.IsWhole(high));
  EXPECT_TRUE(pool.IsWhole(full));
  EXPECT_EQ(pool.driver().Info(low)->last_job->trigger, Trigger::kPressure);
  EXPECT_EQ(NamedDifference(pool.driver(), pool.model(), low, 1,
                            pool.driver().HeldRows(pool.model(), low)),
            "");
}

TEST_P(PressureTest, ItStopsAtTheLowWatermarkAndTakesNoMore) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, L2Norm());
  pool.Rested();
  const int64_t used = pool.UsedBytes();
  const int64_t low = pool.low_bytes();
  EXPECT_LE(used, low + pool.model().block_bytes);
  // What is taken beyond is what partly filled pages may take.
  EXPECT_GE(used, low - 3 * pool.model().block_bytes);
}

TEST_P(PressureTest, SinksAndTheRecentWindowStay) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, L2Norm());
  pool.Rested();
  ASSERT_FALSE(pool.IsWhole(sequence));
  for (const std::vector<int64_t>& row : pool.driver().HeldRows(pool.model(), sequence)) {
    for (int64_t position = 0; position < 4; ++position) {
      EXPECT_EQ(row[static_cast<size_t>(position)], position);
    }
    for (int64_t back = 1; back <= 20; ++back) {
      EXPECT_EQ(row[row.size() - static_cast<size_t>(back)], sequence.length() - back);
    }
  }
}

TEST_P(PressureTest, ASkippedLayerStaysWhole) {
  Pool pool(MakeDriver(GetParam(), Options()));
  PolicySpec spec = L2Norm();
  spec.skip_layers = std::vector<int32_t>{0};
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, spec);
  pool.Rested();
  const HeldPositions held = pool.driver().HeldRows(pool.model(), sequence);
  EXPECT_THAT(held[0], SizeIs(sequence.length()));
  EXPECT_THAT(held[1], SizeIs(sequence.length()));
  EXPECT_LT(held[2].size() + held[3].size(), sequence.tags.size());
  EXPECT_EQ(NamedDifference(pool.driver(), pool.model(), sequence, 1, held), "");
}

// The smallest keys of all rows, but for what is protected and a quarter for each.
TEST_P(PressureTest, HeadsAndLayersCompeteByTheirScores) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(64, L2Norm());
  ASSERT_THAT(pool.Reclaim(16 * pool.model().block_bytes, false), SizeIs(1));
  pool.driver().Settled();
  double most_kept = 0;
  double least_gone = std::numeric_limits<double>::infinity();
  const HeldPositions held = pool.driver().HeldRows(pool.model(), sequence);
  for (size_t row = 0; row < held.size(); ++row) {
    for (int64_t position = 4; position < sequence.length() - 20; ++position) {
      const double norm = KeyNorm(sequence, row, position);
      if (std::binary_search(held[row].begin(), held[row].end(), position)) {
        most_kept = std::max(most_kept, norm);
      } else {
        least_gone = std::min(least_gone, norm);
      }
    }
  }
  EXPECT_LE(most_kept, least_gone * (1 + 1e-6));
}

TEST_P(PressureTest, ASinkWindowGivesWhatLiesBeyondItsWindowOnly) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(
      pool.high_blocks() + 1,
      UnderPressure({.preset = "sink_window", .sink_tokens = 4, .recent_tokens = 3000}));
  pool.Rested();
  const std::vector<int64_t> held = pool.driver().Held(sequence, 1, 1);
  EXPECT_EQ(held.size(), 3004u);
  EXPECT_EQ(held[3], 3);
  EXPECT_EQ(held[4], sequence.length() - 3000);
  EXPECT_TRUE(pool.driver().Status().pressure.active);
}

TEST_P(PressureTest, NobodyGivesWhoDidNotNameTheTrigger) {
  Pool pool(MakeDriver(GetParam(), Options()));
  PolicySpec silent = L2Norm();
  silent.triggers->pressure = false;
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, silent, -100);
  TestSequence full = pool.Filled(20, {}, -100);
  EXPECT_TRUE(pool.Rested().pressure.active);
  EXPECT_TRUE(pool.IsWhole(sequence));
  EXPECT_TRUE(pool.IsWhole(full));
  EXPECT_THAT(pool.Reclaim(1 << 30, true), IsEmpty());
}

TEST_P(PressureTest, ForksThatShareGiveNothingOneByOne) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence parent = pool.Filled(pool.high_blocks() - 2, L2Norm());
  const TestSequence child = *pool.driver().Fork(parent);
  pool.Filled(5, {});
  EXPECT_TRUE(pool.Rested().pressure.active);
  EXPECT_TRUE(pool.IsWhole(parent));
  ASSERT_TRUE(pool.driver().Free(child).ok());
  EXPECT_FALSE(pool.Rested().pressure.active);
  EXPECT_FALSE(pool.IsWhole(parent));
}

TEST_P(PressureTest, ADryRunSaysWhatGoesAndTheRealOneFreesAtLeastThat) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(64, L2Norm(), 3);
  const int64_t used = pool.UsedBytes();
  const int64_t wanted = 20 * pool.model().block_bytes;
  const std::vector<BudgetCut> plan = pool.Reclaim(wanted, true);
  ASSERT_THAT(plan, SizeIs(1));
  EXPECT_EQ(plan[0].sequence, sequence.id);
  EXPECT_EQ(plan[0].priority, 3);
  EXPECT_EQ(plan[0].preset, "l2norm");
  EXPECT_GE(plan[0].freed_bytes, wanted);
  EXPECT_EQ(pool.UsedBytes(), used);
  EXPECT_TRUE(pool.IsWhole(sequence));
  EXPECT_THAT(pool.Reclaim(wanted, false), SizeIs(1));
  EXPECT_LE(pool.UsedBytes(), used - plan[0].freed_bytes);
  EXPECT_EQ(pool.HeldTokens(sequence), 4 * plan[0].budget_tokens);
  EXPECT_THAT(pool.Reclaim(0, true), IsEmpty());
}

TEST_P(PressureTest, ATenantKeepsWhatItIsGuaranteed) {
  EngineOptions options = Options();
  options.tenants[0].guaranteed_bytes = int64_t{5} << 19;
  Pool pool(MakeDriver(GetParam(), options));
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, L2Norm());
  EXPECT_TRUE(pool.Rested().pressure.active);
  EXPECT_FALSE(pool.IsWhole(sequence));
  EXPECT_GE(pool.driver().Status().tenant_used_bytes[0], options.tenants[0].guaranteed_bytes);
}

TEST_P(PressureTest, JobsAreCountedUnderTheirTrigger) {
  Pool pool(MakeDriver(GetParam(), Options()));
  TestSequence sequence = pool.Filled(pool.high_blocks() + 1, L2Norm());
  const EngineStatus status = pool.Rested();
  const auto& jobs = status.totals.jobs_by_trigger[static_cast<size_t>(Trigger::kPressure)];
  EXPECT_GE(jobs[static_cast<size_t>(JobOutcome::kCommitted)], 1);
  EXPECT_EQ(jobs[static_cast<size_t>(JobOutcome::kSkipped)], 0);
  EXPECT_EQ(pool.driver().Info(sequence)->last_job->preset, "l2norm");
}

// Their jobs are built, and wait for a step that may stay open.
TEST_P(PressureTest, WhoCannotGiveYetKeepsNobodyElseFromIt) {
  Pool pool(MakeDriver(GetParam(), Options()));
  const int64_t blocks = pool.high_blocks() / 6;
  std::vector<TestSequence> open;
  for (int64_t i = 0; i < Pressure::kMostJobs; ++i) {
    open.push_back(pool.Filled(blocks, L2Norm(), -1));
    ASSERT_TRUE(pool.driver().Begin({Decode(open.back())}).ok());
  }
  TestSequence idle = pool.Filled(blocks, L2Norm());
  TestSequence full = pool.Filled(2 * blocks, {});
  EXPECT_TRUE(pool.Rested().pressure.active);
  EXPECT_TRUE(pool.IsWhole(open.front()));
  EXPECT_FALSE(pool.IsWhole(idle));
}

// ---- with the background lane held

TEST(HeldPressureTest, NoStepWaitsForAJobUnderPressure) {
  const auto gate = std::make_shared<BackendGate>();
  Pool pool(EngineDriver::Gated(gate, Options()));
  TestSequence other = pool.Filled(4, {});
  TestSequence sequence = pool.Filled(pool.high_blocks() - 10, L2Norm());
  gate->Hold(Lane::kBackground);
  pool.Add(sequence, 12);
  gate->AwaitWaiting(Lane::kBackground, 1);
  // One of another sequence, and the next of its own.
  EXPECT_TRUE(RunStep(pool.driver(), pool.model(), {Decode(other)}).ok());
  EXPECT_TRUE(RunStep(pool.driver(), pool.model(), {Decode(sequence)}).ok());
  EXPECT_TRUE(pool.IsWhole(sequence));
  EXPECT_EQ(pool.driver().Status().running_jobs, 1);
  gate->Open(Lane::kBackground);
  pool.Rested();
  EXPECT_FALSE(pool.IsWhole(sequence));
}

TEST(HeldPressureTest, TheBackgroundHasItsShareFromTheHighWatermarkToTheLowOne) {
  const auto gate = std::make_shared<BackendGate>();
  Pool pool(EngineDriver::Gated(gate, Options()));
  TestSequence gives = pool.Filled(pool.high_blocks() - 10, L2Norm());
  pool.driver().Settled();
  EXPECT_EQ(gate->BackgroundShare(), 0);
  gate->Hold(Lane::kBackground);
  pool.Add(gives, 20);
  gate->AwaitWaiting(Lane::kBackground, 1);
  EXPECT_EQ(gate->BackgroundShare(), 0.25);
  gate->Open(Lane::kBackground);
  EXPECT_FALSE(pool.Rested().pressure.active);
  EXPECT_EQ(gate->BackgroundShare(), 0);
}

TEST(HeldPressureTest, ASequenceThatGoesTakesItsJobWithIt) {
  const auto gate = std::make_shared<BackendGate>();
  Pool pool(EngineDriver::Gated(gate, Options()));
  TestSequence sequence = pool.Filled(pool.high_blocks() - 10, L2Norm());
  gate->Hold(Lane::kBackground);
  pool.Add(sequence, 12);
  gate->AwaitWaiting(Lane::kBackground, 1);
  EXPECT_TRUE(pool.driver().Free(sequence).ok());
  EXPECT_EQ(pool.driver().Status().running_jobs, 0);
  gate->Open(Lane::kBackground);
  const EngineStatus status = pool.Rested();
  EXPECT_EQ(status.pool.in_use, 0);
  EXPECT_FALSE(status.pressure.active);
  EXPECT_EQ(status.totals.JobsThatEnded(JobOutcome::kCancelled), 1);
}

}  // namespace
}  // namespace sluice
