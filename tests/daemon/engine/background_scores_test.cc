// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Jobs by accumulated scores beside steps that add to them.

#include <cmath>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/daemon/engine/score_streams.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

constexpr int kDim = 16;

// A stream of one head whose row t pays `paid[t]`, up to a factor, to the tokens 0 to t.
ScoreStream PaidStream(const std::vector<std::vector<double>>& paid) {
  ScoreStream stream;
  oracle::LayerTensors& layer = stream.layers.emplace_back();
  layer.q.resize(1);
  layer.k.resize(1);
  for (size_t token = 0; token < paid.size(); ++token) {
    oracle::Row key(kDim, 0.0), query(kDim, 0.0);
    key[token] = 1;
    for (size_t slot = 0; slot <= token; ++slot) {
      query[slot] = std::log(paid[token][slot]) * std::sqrt(1.0 * kDim);
    }
    layer.k[0].push_back(key);
    layer.q[0].push_back(query);
  }
  return stream;
}

constexpr int kPrompt = 6;

// The prompt pays most to token 1, its decode rows to token 2.
ScoreStream Turncoat() {
  const double x = .01;
  return PaidStream({{1},
                     {.1, .9},
                     {x, .9, .09},
                     {x, .4, .5, .09},
                     {x, .3, .6, .08, x},
                     {x, .2, .7, .07, x, x},
                     {x, x, .95, x, x, x, x},
                     {x, x, .94, x, x, x, x, x}});
}

PolicySpec H2o(int64_t heavy_tokens, Visible visible = Visible::kWhenReady) {
  PolicySpec spec{.preset = "h2o", .recent_tokens = 2};
  spec.heavy_tokens = heavy_tokens;
  spec.visible = visible;
  spec.triggers = TriggerSpec{.prefill_end = true};
  return spec;
}

class BackgroundScoresTest : public ::testing::Test {
 protected:
  // A sequence with its prompt, whose job is under way in the held background lane.
  void PrefillWithBackgroundHeld(int64_t heavy_tokens = 2) {
    sequence_ = driver_->Create(driver_->Register(GeometryOf(stream_)), H2o(heavy_tokens));
    gate_->Hold(Lane::kBackground);
    Run(kPrompt, Phase::kPrefill);
    gate_->AwaitWaiting(Lane::kBackground, 1);
  }
  void Run(int64_t tokens, Phase phase) {
    ASSERT_TRUE(RunStreams(*driver_, {{&sequence_, &stream_, tokens, phase,
                                       phase == Phase::kPrefill}})
                    .ok());
  }
  // A sequence of some pages, and a job under pressure on it.
  void ReclaimFromLongOne(Lane held) {
    PolicySpec spec = H2o(100, Visible::kWhenDue);
    spec.triggers = TriggerSpec{.pressure = true};
    sequence_ = driver_->Create(driver_->Register(GeometryOf(long_)), spec);
    ASSERT_TRUE(RunStreams(*driver_, {{&sequence_, &long_, 96, Phase::kPrefill, true}}).ok());
    gate_->Hold(held);
    ReclaimMemory reclaim;
    reclaim.target_bytes = 1;
    ASSERT_EQ(driver_->Call(std::move(reclaim))->size(), 1u);
    gate_->AwaitWaiting(held, 1);
  }
  void DecodeOne() { Run(1, Phase::kDecode); }
  std::vector<int64_t> Held() { return driver_->Held(sequence_, 0, 0); }
  void ExpectAllComesBack() {
    gate_->Open(Lane::kBackground);
    EXPECT_TRUE(driver_->Free(sequence_).ok());
    EXPECT_EQ(driver_->Settled().pool.in_use, 0);
  }

  const ScoreStream stream_ = Turncoat();
  const ScoreStream long_ = RandomStream(3, 2, {.tokens = 100, .q_heads = 4, .kv_heads = 2});
  std::shared_ptr<BackendGate> gate_ = std::make_shared<BackendGate>();
  std::unique_ptr<EngineDriver> driver_ = EngineDriver::Gated(gate_);
  TestSequence sequence_;
};

TEST_F(BackgroundScoresTest, NoStepWaitsForAJobThatIsVisibleWhenReady) {
  PrefillWithBackgroundHeld();
  DecodeOne();
  DecodeOne();
  EXPECT_EQ(driver_->Status().running_jobs, 1);
  EXPECT_EQ(Held().size(), 8u);
  ExpectAllComesBack();
}

TEST_F(BackgroundScoresTest, AJobSelectsByTheScoresOfItsPlan) {
  PrefillWithBackgroundHeld(/*heavy_tokens=*/1);
  DecodeOne();
  DecodeOne();
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_THAT(Held(), ElementsAre(1, 4, 5, 6, 7));
  ExpectAllComesBack();
}

TEST_F(BackgroundScoresTest, WhatStepsAddedMeanwhileIsKept) {
  PrefillWithBackgroundHeld();
  DecodeOne();
  DecodeOne();
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_THAT(Held(), ElementsAre(1, 2, 4, 5, 6, 7));
  SetPolicy set;
  set.sequence = sequence_.id;
  set.policy = H2o(1);
  ASSERT_TRUE(driver_->Call(set).ok());
  Compress compress;
  compress.sequence = sequence_.id;
  ASSERT_TRUE(driver_->Call(compress).ok());
  EXPECT_THAT(Held(), ElementsAre(2, 6, 7));
  ExpectAllComesBack();
}

TEST_F(BackgroundScoresTest, AJobCommitsBetweenTwoStepsOnly) {
  PrefillWithBackgroundHeld();
  const StreamPart part{&sequence_, &stream_};
  const auto step = driver_->Begin({part.ToStep()});
  ASSERT_TRUE(step.ok()) << step.status();
  gate_->Open(Lane::kBackground);
  ASSERT_TRUE(AttendLayer(*driver_, step->step, {part}, 0).ok());
  sequence_.tags.push_back(0);
  driver_->Settled();
  EXPECT_THAT(Held(), ElementsAre(1, 2, 4, 5, 6));
  ExpectAllComesBack();
}

TEST_F(BackgroundScoresTest, AJobUnderPressureIsNotWaitedFor) {
  ReclaimFromLongOne(Lane::kBackground);
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence_, &long_}}).ok());
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence_, &long_}}).ok());
  EXPECT_EQ(Held().size(), 98u);
  gate_->Open(Lane::kBackground);
  driver_->Settled();
  EXPECT_LT(Held().size(), 98u);
  EXPECT_EQ(driver_->Info(sequence_)->last_job->trigger, Trigger::kPressure);
  ExpectAllComesBack();
}

TEST_F(BackgroundScoresTest, AStepWaitsUntilTheScoresAreCopied) {
  ReclaimFromLongOne(Lane::kForeground);
  gate_->Hold(Lane::kBackground);
  BeginStep begin;
  begin.entries = {Decode(sequence_).ToEntry()};
  begin.max_wait = absl::Seconds(1);
  const auto step = driver_->Send(std::move(begin));
  driver_->Status();
  EXPECT_FALSE(step.ready());
  gate_->Open(Lane::kForeground);
  const auto begun = step.Wait();
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_TRUE(driver_->Abort(begun->step).ok());
  ExpectAllComesBack();
}

// Each built during a step; then all steps end together.
TEST_F(BackgroundScoresTest, ManyThatCommitTogetherDoNotFillTheLane) {
  constexpr size_t kMany = 80;
  const TestModel model = driver_->Register(GeometryOf(stream_));
  std::vector<TestSequence> sequences;
  for (size_t i = 0; i < kMany; ++i) {
    sequence_ = driver_->Create(model, H2o(2));
    gate_->Hold(Lane::kBackground);
    Run(kPrompt, Phase::kPrefill);
    gate_->AwaitWaiting(Lane::kBackground, 1);
    ASSERT_TRUE(driver_->Begin({Decode(sequence_)}).ok());
    gate_->Open(Lane::kBackground);
    gate_->AwaitIdle(Lane::kBackground);
    sequences.push_back(sequence_);
  }
  EXPECT_EQ(driver_->Status().running_jobs, kMany);
  gate_->Hold(Lane::kForeground);
  // A turn of the engine undoes only so many steps.
  for (size_t i = 0; i < kMany && driver_->Status().open_steps > 0; ++i) {
    driver_->Advance(absl::Seconds(61));
  }
  EXPECT_EQ(driver_->Status().open_steps, 0);
  EXPECT_LE(gate_->MostUnderWay(Lane::kForeground), 64);
  gate_->Open(Lane::kForeground);
  EXPECT_EQ(driver_->Settled().totals.JobsThatEnded(JobOutcome::kCommitted), kMany);
  for (const TestSequence& sequence : sequences) EXPECT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, 0);
}

TEST_F(BackgroundScoresTest, ALostSequenceHasNoJob) {
  PrefillWithBackgroundHeld();
  const StreamPart part{&sequence_, &stream_};
  const auto step = driver_->Begin({part.ToStep()});
  ASSERT_TRUE(step.ok()) << step.status();
  gate_->Hold(Lane::kForeground);
  const FloatTensor q = TensorOf({part}, 0, true), k = TensorOf({part}, 0, false);
  Attend attend;
  attend.step = step->step;
  attend.q = q.ref();
  attend.k = attend.v = k.ref();
  const auto attended = driver_->Send(std::move(attend));
  gate_->AwaitWaiting(Lane::kForeground, 1);
  EndStep end;
  end.step = step->step;
  end.abort = true;
  const auto lost = driver_->Send(std::move(end));
  driver_->Status();
  gate_->Open(Lane::kForeground);
  EXPECT_EQ(*lost.Wait(), std::vector<uint64_t>{sequence_.id});
  EXPECT_FALSE(attended.Wait().ok());
  EXPECT_EQ(driver_->Status().running_jobs, 0);
  ExpectAllComesBack();
}

}  // namespace
}  // namespace sluice
