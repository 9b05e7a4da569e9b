// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What sequences hold that are kept by accumulated attention, against the plain
// implementations over the same tensors.

#include <algorithm>
#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/refusal_matcher.h"
#include "tests/daemon/engine/score_streams.h"
#include "tests/golden/mass_examples.h"
#include "tests/oracle/h2o.h"
#include "tests/oracle/tova.h"

namespace sluice {
namespace {

auto RefusedNeed(const std::string& field) {
  return Refused(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, field);
}

using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr int kTokens = 44;
constexpr int kPrompt = 20;

PolicySpec H2o(const oracle::H2oRule& rule, const oracle::Trigger& trigger = {}) {
  PolicySpec spec{.preset = "h2o", .recent_tokens = rule.recent};
  spec.heavy_tokens = rule.heavy;
  spec.squared = rule.squared;
  spec.normalise = rule.mean ? ScoreNormalise::kMean : ScoreNormalise::kNone;
  spec.triggers = TriggerSpec{.prefill_end = true,
                              .every_tokens = trigger.every,
                              .hysteresis_tokens = trigger.hysteresis};
  return spec;
}

PolicySpec Tova(const oracle::TovaRule& rule, const oracle::Trigger& trigger = {}) {
  PolicySpec spec{.preset = "tova", .budget_tokens = rule.capacity};
  spec.protect_last_tokens = rule.protect_last;
  spec.triggers = TriggerSpec{.prefill_end = true,
                              .every_tokens = trigger.every,
                              .hysteresis_tokens = trigger.hysteresis};
  return spec;
}

// What a plain implementation holds of each layer of a stream.
using PlainRuns = std::vector<oracle::TokenRun>;

PlainRuns RunPlainly(const ScoreStream& stream,
                     const std::function<oracle::TokenRun(const oracle::LayerTensors&)>& run) {
  PlainRuns runs;
  for (const oracle::LayerTensors& layer : stream.layers) runs.push_back(run(layer));
  return runs;
}

PlainRuns PlainH2o(const ScoreStream& stream, const oracle::H2oRule& rule,
                   const oracle::Trigger& trigger = {}) {
  return RunPlainly(stream, [&](const oracle::LayerTensors& layer) {
    return oracle::RunH2o(layer, kPrompt, trigger, rule);
  });
}

PlainRuns PlainTova(const ScoreStream& stream, const oracle::TovaRule& rule,
                    const oracle::Trigger& trigger = {}) {
  return RunPlainly(stream, [&](const oracle::LayerTensors& layer) {
    return oracle::RunTova(layer, kPrompt, trigger, rule);
  });
}

class ScoresTest : public OnEveryBackend {
 protected:
  static ScoreStream Stream(uint64_t seed) {
    return RandomStream(seed, /*layers=*/2, {.tokens = kTokens, .q_heads = 4, .kv_heads = 2});
  }

  TestModel Model(const ScoreStream& stream) { return driver_->Register(GeometryOf(stream)); }

  // Compares all rows until a decision of the plain run was too close.
  void ExpectHeld(const TestSequence& sequence, const PlainRuns& runs) {
    const auto step = static_cast<size_t>(sequence.length() - kPrompt);
    for (size_t layer = 0; layer < runs.size(); ++layer) {
      if (sequence.length() >= oracle::FirstCloseStep(runs[layer].decisions)) continue;
      const oracle::HeadSets& held = runs[layer].steps[step].held;
      for (size_t head = 0; head < held.size(); ++head) {
        ASSERT_EQ(driver_->Held(sequence, static_cast<int32_t>(layer), static_cast<int32_t>(head)),
                  std::vector<int64_t>(held[head].begin(), held[head].end()))
            << "layer " << layer << ", head " << head << ", length " << sequence.length();
        ++compared_;
      }
    }
  }

  // A prompt in chunks, then token by token to the stream's end.
  void Follow(TestSequence& sequence, const ScoreStream& stream, const PlainRuns& runs,
              int chunk = kPrompt) {
    for (int first = 0; first < kPrompt; first += chunk) {
      const int tokens = std::min(chunk, kPrompt - first);
      const bool last = first + tokens == kPrompt;
      ASSERT_TRUE(
          RunStreams(*driver_, {{&sequence, &stream, tokens, Phase::kPrefill, last}}).ok());
    }
    ExpectHeld(sequence, runs);
    Decode(sequence, stream, runs);
  }

  void Decode(TestSequence& sequence, const ScoreStream& stream, const PlainRuns& runs) {
    while (sequence.length() < kTokens && !HasFatalFailure()) {
      ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream}}).ok());
      ExpectHeld(sequence, runs);
    }
  }

  std::unique_ptr<EngineDriver> driver_ = MakeDriver(GetParam());
  int64_t compared_ = 0;
};

TEST_P(ScoresTest, H2oHoldsWhatThePlainImplementationHolds) {
  const oracle::H2oRule rules[] = {{.heavy = 5, .recent = 3},
                                   {.heavy = 9, .recent = 4, .mean = true},
                                   {.heavy = 20, .recent = 5, .squared = true}};
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const ScoreStream stream = Stream(seed);
    const oracle::H2oRule& rule = rules[seed % 3];
    TestSequence sequence = driver_->Create(Model(stream), H2o(rule));
    Follow(sequence, stream, PlainH2o(stream, rule));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared_, 300);
}

TEST_P(ScoresTest, TovaHoldsWhatThePlainImplementationHolds) {
  const oracle::TovaRule rules[] = {{.capacity = 6}, {.capacity = 19, .protect_last = 2}};
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const ScoreStream stream = Stream(100 + seed);
    const oracle::TovaRule& rule = rules[seed % 2];
    TestSequence sequence = driver_->Create(Model(stream), Tova(rule));
    Follow(sequence, stream, PlainTova(stream, rule));
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared_, 300);
}

TEST_P(ScoresTest, AnIntervalActsWhenItIsDue) {
  const oracle::Trigger trigger{.every = 4, .hysteresis = 2};
  const ScoreStream stream = Stream(7);
  TestSequence sequence = driver_->Create(Model(stream), H2o({.heavy = 6, .recent = 6}, trigger));
  Follow(sequence, stream, PlainH2o(stream, {.heavy = 6, .recent = 6}, trigger));
  EXPECT_GT(compared_, 20);
}

TEST_P(ScoresTest, ChunksOfAPromptDoNotShow) {
  const ScoreStream stream = Stream(8);
  const TestModel model = Model(stream);
  TestSequence heavy = driver_->Create(model, H2o({.heavy = 5, .recent = 3}));
  Follow(heavy, stream, PlainH2o(stream, {.heavy = 5, .recent = 3}), /*chunk=*/7);
  TestSequence last = driver_->Create(model, Tova({.capacity = 6}));
  Follow(last, stream, PlainTova(stream, {.capacity = 6}), /*chunk=*/7);
  EXPECT_GT(compared_, 60);
}

TEST_P(ScoresTest, SequencesOfSeveralRulesShareSteps) {
  const ScoreStream streams[] = {Stream(1), Stream(2), Stream(3), Stream(4)};
  const TestModel model = Model(streams[0]);
  TestSequence sequences[] = {
      driver_->Create(model, H2o({.heavy = 5, .recent = 3})), driver_->Create(model),
      driver_->Create(model, Tova({.capacity = 8})),
      driver_->Create(model, H2o({.heavy = 6, .recent = 2, .squared = true}))};
  const PlainRuns runs[] = {PlainH2o(streams[0], {.heavy = 5, .recent = 3}),
                            PlainH2o(streams[1], {.heavy = kTokens}),
                            PlainTova(streams[2], {.capacity = 8}),
                            PlainH2o(streams[3], {.heavy = 6, .recent = 2, .squared = true})};
  for (int length = kPrompt; length <= kTokens; ++length) {
    std::vector<StreamPart> parts;
    for (size_t i = 0; i < 4; ++i) {
      parts.push_back(length == kPrompt
                          ? StreamPart{&sequences[i], &streams[i], kPrompt, Phase::kPrefill, true}
                          : StreamPart{&sequences[i], &streams[i]});
    }
    ASSERT_TRUE(RunStreams(*driver_, parts).ok());
    for (size_t i = 0; i < 4; ++i) ExpectHeld(sequences[i], runs[i]);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared_, 200);
}

// A stream that is another's up to a token.
ScoreStream Branch(ScoreStream from, const ScoreStream& other, int token) {
  for (size_t layer = 0; layer < from.layers.size(); ++layer) {
    for (size_t i = 0; i < from.layers[layer].q.size(); ++i) {
      std::copy(other.layers[layer].q[i].begin() + token, other.layers[layer].q[i].end(),
                from.layers[layer].q[i].begin() + token);
    }
    for (size_t i = 0; i < from.layers[layer].k.size(); ++i) {
      std::copy(other.layers[layer].k[i].begin() + token, other.layers[layer].k[i].end(),
                from.layers[layer].k[i].begin() + token);
    }
  }
  return from;
}

TEST_P(ScoresTest, ForksAddToScoresOfTheirOwn) {
  const oracle::H2oRule rule{.heavy = 5, .recent = 3};
  const ScoreStream stream = Stream(5);
  TestSequence parent = driver_->Create(Model(stream), H2o(rule));
  ASSERT_TRUE(RunStreams(*driver_, {{&parent, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(RunStreams(*driver_, {{&parent, &stream}}).ok());
  const ScoreStream branch = Branch(stream, Stream(6), kPrompt + 6);
  absl::StatusOr<TestSequence> child = driver_->Fork(parent);
  ASSERT_TRUE(child.ok()) << child.status();
  Decode(*child, branch, PlainH2o(branch, rule));
  Decode(parent, stream, PlainH2o(stream, rule));
  EXPECT_GT(compared_, 40);
}

TEST_P(ScoresTest, BothOfTwoForksMayGoOnInOneStep) {
  const oracle::TovaRule rule{.capacity = 7};
  const ScoreStream stream = Stream(9);
  TestSequence parent = driver_->Create(Model(stream), Tova(rule));
  ASSERT_TRUE(RunStreams(*driver_, {{&parent, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  const ScoreStream branch = Branch(stream, Stream(10), kPrompt);
  absl::StatusOr<TestSequence> child = driver_->Fork(parent);
  ASSERT_TRUE(child.ok()) << child.status();
  const PlainRuns own = PlainTova(stream, rule), other = PlainTova(branch, rule);
  while (parent.length() < kTokens) {
    ASSERT_TRUE(RunStreams(*driver_, {{&parent, &stream}, {&*child, &branch}}).ok());
    ExpectHeld(parent, own);
    ExpectHeld(*child, other);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(compared_, 40);
}

TEST_P(ScoresTest, AnUndoneStepThatAttendedLosesItsSequence) {
  const ScoreStream stream = Stream(11);
  const TestModel model = Model(stream);
  TestSequence sequence = driver_->Create(model, Tova({.capacity = 30}));
  TestSequence plain = driver_->Create(model);
  const std::vector<StreamPart> parts = {{&plain, &stream}, {&sequence, &stream}};
  const auto step = driver_->Begin({parts[0].ToStep(), parts[1].ToStep()});
  ASSERT_TRUE(step.ok()) << step.status();
  ASSERT_TRUE(AttendLayer(*driver_, step->step, parts, 0).ok());
  EndStep end;
  end.step = step->step;
  end.abort = true;
  const auto lost = driver_->Call(std::move(end));
  ASSERT_TRUE(lost.ok()) << lost.status();
  EXPECT_EQ(*lost, std::vector<uint64_t>{sequence.id});
  EXPECT_THAT(driver_->Begin({parts[1].ToStep()}).status(), RefusedFor(Reason::kSequenceLost));
  EXPECT_TRUE(driver_->Info(sequence)->lost);
  EXPECT_TRUE(RunStreams(*driver_, {{&plain, &stream}}).ok());
  EXPECT_TRUE(driver_->Free(sequence).ok());
}

TEST_P(ScoresTest, AnUndoneStepWithoutAnAttendLeavesScoresAsTheyWere) {
  const oracle::H2oRule rule{.heavy = 5, .recent = 3};
  const ScoreStream stream = Stream(12);
  TestSequence sequence = driver_->Create(Model(stream), H2o(rule));
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  StepPart part = Prefill(sequence, 40);
  const auto step = driver_->Begin({part});
  ASSERT_TRUE(step.ok()) << step.status();
  ASSERT_TRUE(driver_->Abort(step->step).ok());
  Decode(sequence, stream, PlainH2o(stream, rule));
  EXPECT_GT(compared_, 40);
}

TEST_P(ScoresTest, WhoseFirstTokensWentUnseenCannotBegin) {
  const ScoreStream stream = Stream(13);
  TestSequence sequence = driver_->Create(Model(stream));
  SetPolicy set;
  set.sequence = sequence.id;
  set.policy = H2o({.heavy = 5, .recent = 3});
  EXPECT_TRUE(driver_->Call(set).ok());
  EXPECT_TRUE(driver_->Call(set).ok());
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  set.policy.heavy_tokens = 4;
  EXPECT_TRUE(driver_->Call(set).ok());
  set.policy.squared = true;
  EXPECT_THAT(driver_->Call(set).status(), RefusedNeed("policy.preset"));
  set.policy = {};
  EXPECT_TRUE(driver_->Call(set).ok());
  set.policy = Tova({.capacity = 30});
  EXPECT_THAT(driver_->Call(set).status(), RefusedNeed("policy.preset"));
  EXPECT_TRUE(RunStreams(*driver_, {{&sequence, &stream}}).ok());
}

TEST_P(ScoresTest, CompressTakesAnotherBudgetButNoOtherPolicy) {
  const ScoreStream stream = Stream(14);
  TestSequence sequence = driver_->Create(Model(stream), Tova({.capacity = 30}));
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  Compress compress;
  compress.sequence = sequence.id;
  compress.policy = PolicySpec{.preset = "l2norm", .budget_tokens = 5};
  EXPECT_THAT(driver_->Call(compress).status(), RefusedNeed("policy.preset"));
  compress.policy.reset();
  compress.budget_tokens = 6;
  ASSERT_TRUE(driver_->Call(compress).ok());
  ExpectHeld(sequence, PlainTova(stream, {.capacity = 6}));
  EXPECT_EQ(driver_->Held(sequence, 0, 0).size(), 6u);
}

// Of 4 head caches, 16 bytes a token, in a slab of 1 MiB.
TEST_P(ScoresTest, ABudgetWhoseScoresFitNoSlabIsRefused) {
  const ScoreStream stream = Stream(17);
  TestSequence sequence = driver_->Create(Model(stream));
  SetPolicy set;
  set.sequence = sequence.id;
  set.policy = H2o({.heavy = 65536, .recent = 3});
  EXPECT_TRUE(driver_->Call(set).ok());
  set.policy.heavy_tokens = 65537;
  EXPECT_THAT(driver_->Call(set).status(), RefusedField("policy.parameters.heavy_tokens"));
  set.policy = Tova({.capacity = 70000});
  EXPECT_THAT(driver_->Call(set).status(), RefusedField("policy.parameters.budget_tokens"));
}

TEST_P(ScoresTest, QueriesMustComeWithTheirStep) {
  const ScoreStream stream = Stream(15);
  TestSequence sequence = driver_->Create(Model(stream), Tova({.capacity = 30}));
  BeginStep stores;
  stores.append_only = true;
  EXPECT_THAT(driver_->Begin({Prefill(sequence, 4)}, stores).status(),
              RefusedNeed("append_only"));
}

TEST_P(ScoresTest, AllTheirMemoryComesBack) {
  const ScoreStream stream = Stream(16);
  TestSequence sequence = driver_->Create(Model(stream), H2o({.heavy = 5, .recent = 3}));
  ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(RunStreams(*driver_, {{&sequence, &stream}}).ok());
  EXPECT_GT(driver_->Settled().pool.in_use, 0);
  ASSERT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, 0);
}

SLUICE_ON_EVERY_BACKEND(ScoresTest);

// ---- worked examples: a key that only its own slot's weight is read from

class MassGoldenEngineTest : public ::testing::TestWithParam<golden::MassExample> {
 protected:
  static constexpr int kDim = 16;

  // Keys are the axes, a query the logarithms of what it pays to those that it sees.
  static ScoreStream StreamOf(const golden::MassExample& example) {
    ScoreStream stream;
    oracle::LayerTensors& layer = stream.layers.emplace_back();
    const size_t heads = example.steps[0].paid.size();
    layer.q.resize(heads);
    layer.k.resize(heads);
    for (size_t head = 0; head < heads; ++head) {
      std::vector<int32_t> held;
      for (const golden::MassStep& step : example.steps) {
        for (const std::vector<double>& paid : step.paid[head]) {
          held.push_back(static_cast<int32_t>(layer.k[head].size()));
          oracle::Row key(kDim, 0.0), query(kDim, 0.0);
          key[layer.k[head].size()] = 1;
          for (size_t slot = 0; slot < held.size(); ++slot) {
            query[static_cast<size_t>(held[slot])] = std::log(paid[slot]) * std::sqrt(1.0 * kDim);
          }
          layer.k[head].push_back(key);
          layer.q[head].push_back(query);
        }
        held = step.held[head];
      }
    }
    return stream;
  }
};

// Scores of what a head holds, as its policy ranks them.
std::vector<float> ScoresOf(EngineDriver& driver, const TestSequence& sequence, int32_t kv_head) {
  ExplainSequence command;
  command.sequence = sequence.id;
  command.kv_head = kv_head;
  const auto explained = driver.Call(command);
  EXPECT_TRUE(explained.ok()) << explained.status();
  return explained.ok() ? explained->scores : std::vector<float>();
}

// What the example's scores are of `held`, the slots being those of `before` and the
// newest; means where it ranks by these.
std::vector<double> ScoresOfHeld(const golden::MassExample& example,
                                 const std::vector<double>& scores,
                                 const std::vector<int32_t>& before,
                                 const std::vector<int32_t>& held, int64_t length) {
  std::vector<int32_t> slots = before;
  const auto added = static_cast<int32_t>(scores.size() - before.size());
  for (int32_t i = added; i > 0; --i) slots.push_back(static_cast<int32_t>(length) - i);
  std::vector<double> wanted;
  for (const int32_t position : held) {
    const auto place = std::find(slots.begin(), slots.end(), position) - slots.begin();
    wanted.push_back(scores[static_cast<size_t>(place)]);
    if (example.policy.normalise == ScoreNormalise::kMean) {
      wanted.back() /= static_cast<double>(length - position);
    }
  }
  return wanted;
}

TEST_P(MassGoldenEngineTest, EveryStepHoldsExactlyTheExpectedPositionsAndScores) {
  const golden::MassExample& example = GetParam();
  const ScoreStream stream = StreamOf(example);
  EngineDriver driver;
  TestSequence sequence = driver.Create(driver.Register(GeometryOf(stream)), example.policy);
  std::vector<std::vector<int32_t>> before(example.steps[0].paid.size());
  for (const golden::MassStep& step : example.steps) {
    const auto tokens = static_cast<int64_t>(step.paid[0].size());
    ASSERT_TRUE(RunStreams(driver, {{&sequence, &stream, tokens,
                                     step.decode ? Phase::kDecode : Phase::kPrefill,
                                     !step.decode}})
                    .ok());
    for (size_t head = 0; head < step.held.size(); ++head) {
      EXPECT_EQ(driver.Held(sequence, 0, static_cast<int32_t>(head)),
                std::vector<int64_t>(step.held[head].begin(), step.held[head].end()));
      EXPECT_THAT(ScoresOf(driver, sequence, static_cast<int32_t>(head)),
                  Pointwise(FloatNear(1e-6f), ScoresOfHeld(example, step.scores[head],
                                                           before[head], step.held[head],
                                                           sequence.length())));
    }
    before = step.held;
  }
}

std::string NameOfExample(const ::testing::TestParamInfo<golden::MassExample>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(H2o, MassGoldenEngineTest, ::testing::ValuesIn(golden::H2oExamples()),
                         NameOfExample);
INSTANTIATE_TEST_SUITE_P(Tova, MassGoldenEngineTest, ::testing::ValuesIn(golden::TovaExamples()),
                         NameOfExample);

}  // namespace
}  // namespace sluice
