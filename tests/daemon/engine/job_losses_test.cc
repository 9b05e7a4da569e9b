// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What jobs say about the attention that went with what they evicted.

#include <cmath>
#include <memory>

#include "gtest/gtest.h"
#include "tests/daemon/engine/score_streams.h"
#include "tests/daemon/engine/scripted_backend.h"
#include "tests/golden/mass_examples.h"
#include "tests/golden/window_examples.h"
#include "tests/testing/step_driver.h"

namespace sluice {
namespace {

// Scores are fp32.
constexpr double kNear = 1e-6;

std::unique_ptr<EngineDriver> Scripted(const std::vector<std::vector<float>>& scores) {
  EngineOptions options = SmallOptions();
  options.make_backend = [scores](const BackendOptions& backend) {
    return std::make_unique<ScriptedBackend>(backend, scores);
  };
  return std::make_unique<EngineDriver>(std::move(options));
}

// The last job after the example's prefill.
JobReport ReportAfter(const golden::WindowExample& example) {
  const auto driver = Scripted(example.scores);
  ModelGeometry geometry = SmallGeometry();
  geometry.query_heads = example.kv_heads;
  geometry.layers.resize(static_cast<size_t>(example.layers), geometry.layers[0]);
  for (LayerGeometry& layer : geometry.layers) layer.kv_heads = example.kv_heads;
  const TestModel model = driver->Register(geometry);
  TestSequence sequence = driver->Create(model, example.policy);
  EXPECT_TRUE(RunStep(*driver, model, {Prefill(sequence, example.tokens())}).ok());
  driver->Held(sequence, 0, 0);  // waits for the job
  const auto info = driver->Info(sequence);
  EXPECT_TRUE(info.ok() && info->last_job.has_value());
  return info->last_job.value_or(JobReport());
}

TEST(JobLossesTest, AShareIsOfTheScoresAsTheyAreRanked) {
  const std::vector<golden::WindowExample> examples = golden::SnapKvExamples();
  // Pooled by the average, {0, 1, 5} go of the sums .1067 .1133 .1467 .1467 .1533 .02.
  EXPECT_NEAR(*ReportAfter(examples[0]).evicted_mass_share, .24 / (2.06 / 3), kNear);
  // Without a pool .02, .02 and .02 go of .8.
  EXPECT_NEAR(*ReportAfter(examples[2]).evicted_mass_share, .06 / .8, kNear);
}

TEST(JobLossesTest, LayersAreToldApart) {
  const JobReport report = ReportAfter(golden::DynamicKvExamples()[0]);
  const double all[] = {313 + 328, 606 + 588, 920 + 888, 724 + 724};
  const double kept[] = {238 + 230, 508 + 479, 885 + 849, 634 + 618};
  ASSERT_EQ(report.layers.size(), 4u);
  double all_kept = 0, everything = 0;
  for (size_t layer = 0; layer < 4; ++layer) {
    EXPECT_EQ(report.layers[layer].layer, static_cast<int32_t>(layer));
    EXPECT_NEAR(*report.layers[layer].evicted_mass_share, 1 - kept[layer] / all[layer], kNear);
    all_kept += kept[layer];
    everything += all[layer];
  }
  EXPECT_NEAR(*report.evicted_mass_share, 1 - all_kept / everything, kNear);
  EXPECT_EQ(report.layers[0].evicted_slots, 12);
  EXPECT_EQ(report.layers[2].evicted_slots, 4);
}

// Keys are the axes; queries the logarithms of what they pay to the slots held.
ScoreStream StreamOf(const golden::MassExample& example) {
  constexpr size_t kDim = 16;
  ScoreStream stream;
  oracle::LayerTensors& layer = stream.layers.emplace_back();
  layer.q.resize(1);
  layer.k.resize(1);
  std::vector<int32_t> held;
  for (const golden::MassStep& step : example.steps) {
    for (const std::vector<double>& paid : step.paid[0]) {
      const size_t token = layer.k[0].size();
      held.push_back(static_cast<int32_t>(token));
      layer.k[0].emplace_back(kDim, 0.0)[token] = 1;
      oracle::Row& query = layer.q[0].emplace_back(kDim, 0.0);
      for (size_t slot = 0; slot < held.size(); ++slot) {
        query[static_cast<size_t>(held[slot])] = 4 * std::log(paid[slot]);
      }
    }
    held = step.held[0];
  }
  return stream;
}

TEST(JobLossesTest, EveryEvictionOfAccumulatedScoresIsRemembered) {
  const golden::MassExample example = golden::H2oExamples()[0];
  const ScoreStream stream = StreamOf(example);
  EngineDriver driver;
  TestSequence sequence = driver.Create(driver.Register(GeometryOf(stream)), example.policy);
  ASSERT_TRUE(RunStreams(driver, {{&sequence, &stream, 4, Phase::kPrefill, true}}).ok());
  ASSERT_TRUE(RunStreams(driver, {{&sequence, &stream}}).ok());
  driver.Held(sequence, 0, 0);
  InspectSequence inspect;
  inspect.sequence = sequence.id;
  const auto inspected = driver.Call(inspect);
  ASSERT_TRUE(inspected.ok()) << inspected.status();
  ASSERT_EQ(inspected->evictions.size(), 2u);
  // Of the slots before the recent two: 1.6 of 1.8 and 1.6, then .8 of 2.0 and .8.
  EXPECT_NEAR(*inspected->evictions[0].evicted_mass_share, 1.6 / 3.4, kNear);
  EXPECT_NEAR(*inspected->evictions[1].evicted_mass_share, .8 / 2.8, kNear);
  EXPECT_TRUE(inspected->evictions[0].layers.empty());
  EXPECT_EQ(inspected->info.last_job->layers.size(), 1u);
  const EngineTotals& totals = driver.Status().totals;
  EXPECT_EQ(totals.measured_jobs, 2);
  EXPECT_NEAR(totals.evicted_mass_share_sum, 1.6 / 3.4 + .8 / 2.8, kNear);
}

TEST(JobLossesTest, AForkBeginsWithoutEvictionsAndOnlySoManyAreKept) {
  EngineDriver driver;
  const TestModel model = driver.Register();
  PolicySpec policy{.preset = "l2norm", .budget_tokens = 8};
  policy.triggers = TriggerSpec{.every_tokens = 1, .hysteresis_tokens = 0};
  TestSequence sequence = driver.Create(model, policy);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(AppendStep(driver, model, Decode(sequence)).ok());
  driver.Held(sequence, 0, 0);
  InspectSequence inspect;
  inspect.sequence = sequence.id;
  const auto evictions = driver.Call(inspect)->evictions;
  ASSERT_EQ(evictions.size(), 16u);
  EXPECT_EQ(evictions.front().snapshot_tokens, 15);
  EXPECT_EQ(evictions.back().snapshot_tokens, 30);
  EXPECT_FALSE(evictions.back().evicted_mass_share.has_value());  // norms are no attention
  inspect.sequence = driver.Fork(sequence)->id;
  EXPECT_TRUE(driver.Call(inspect)->evictions.empty());
}

}  // namespace
}  // namespace sluice
