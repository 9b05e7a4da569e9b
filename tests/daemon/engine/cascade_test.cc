// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What sequences under a cascade hold, against the plain implementation over the same
// tensors, however their tokens come.

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "tests/daemon/engine/backends.h"
#include "tests/daemon/engine/cascade_streams.h"
#include "tests/daemon/engine/refusal_matcher.h"

namespace sluice {
namespace {

constexpr int kPrompt = 90;

auto RefusedNeed(const std::string& field) {
  return Refused(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, field);
}

// Up to the first fight that is too close to call, what is held after the prompt and
// after each decoded token.
void ExpectHeld(EngineDriver& driver, const CascadeStream& stream, const TestSequence& sequence,
                int64_t* compared = nullptr) {
  for (size_t layer = 0; layer < stream.tensors.layers.size(); ++layer) {
    const oracle::CascadeRun& expected = stream.Expected(layer, kPrompt);
    const auto length = static_cast<int>(sequence.length());
    if (length > oracle::FirstCloseStep(expected.run.decisions)) continue;
    const auto& heads = expected.cache_order[static_cast<size_t>(length - kPrompt)];
    for (size_t head = 0; head < heads.size(); ++head) {
      ASSERT_EQ(driver.Held(sequence, static_cast<int32_t>(layer), static_cast<int32_t>(head)),
                std::vector<int64_t>(heads[head].begin(), heads[head].end()))
          << "layer " << layer << ", head " << head << ", length " << length;
      if (compared != nullptr) ++*compared;
    }
  }
}

class CascadeTest : public OnEveryBackend {
 protected:
  TestSequence Create(const CascadeStream& stream) {
    return driver_->Create(driver_->Register(stream.Geometry()), stream.Policy());
  }

  // The prompt in chunks of `chunk` tokens, 0: of any length.
  void TakePrompt(TestSequence& sequence, const CascadeStream& stream, int chunk,
                  std::mt19937_64& random, bool marked = true) {
    for (int taken = 0; taken < kPrompt;) {
      const int any = 1 + oracle::RandomBelow(random, kPrompt - taken);
      const int tokens = std::min(chunk == 0 ? any : chunk, kPrompt - taken);
      taken += tokens;
      ASSERT_TRUE(RunCascade({{&sequence, &stream, tokens, Phase::kPrefill,
                               marked && taken == kPrompt}}).ok());
    }
  }

  // Its prompt came in chunks of any length.
  TestSequence Prompted(const CascadeStream& stream, uint64_t seed) {
    std::mt19937_64 random(seed);
    TestSequence sequence = Create(stream);
    TakePrompt(sequence, stream, 0, random);
    return sequence;
  }

  absl::Status RunCascade(const std::vector<CascadePart>& parts, int cut_seed = -1) {
    return RunCascadeStep(*driver_, parts, cut_seed);
  }

  void Decode(TestSequence& sequence, const CascadeStream& stream, int count) {
    for (int i = 0; i < count && !HasFatalFailure(); ++i) {
      ASSERT_TRUE(RunCascade({{&sequence, &stream}}).ok());
      ExpectHeld(*driver_, stream, sequence, &compared_);
    }
  }

  std::unique_ptr<EngineDriver> driver_ = MakeDriver(GetParam());
  int64_t compared_ = 0;
};

TEST_P(CascadeTest, HoldsWhatThePlainImplementationHolds) {
  for (uint64_t seed = 0; seed < 24 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed + 1000);
    const CascadeStream stream(seed);
    TestSequence sequence = Create(stream);
    TakePrompt(sequence, stream, 0, random);
    ExpectHeld(*driver_, stream, sequence, &compared_);
    Decode(sequence, stream, 12);
    ASSERT_TRUE(driver_->Free(sequence).ok());
  }
  EXPECT_GT(compared_, 24 * 13 * 2);
  EXPECT_EQ(driver_->Settled().pool.in_use, 0);
}

// What a step of `tokens` tokens answers at layer 0.
std::vector<float> AnswerOf(EngineDriver& driver, const CascadePart& part) {
  StepPart step{.sequence = part.sequence, .tokens = part.tokens, .phase = part.phase,
                .prefill_end = part.prefill_end};
  const auto begun = driver.Begin({step});
  AttendResult first;
  EXPECT_TRUE(AttendCascade(driver, begun->step, {part}, 0, -1, &first).ok());
  EXPECT_TRUE(AttendCascade(driver, begun->step, {part}, 1).ok());
  part.sequence->tags.resize(part.sequence->tags.size() + static_cast<size_t>(part.tokens));
  const auto* values = reinterpret_cast<const float*>(first.out.data());
  return {values, values + first.out.size() / sizeof(float)};
}

// Values weighed by the probabilities of rows [q_heads][rows][seen], [rows, q_heads, dim].
void AppendWeighed(const CascadeStream& stream, const oracle::CascadeLayer& layer, int tokens,
                   const std::vector<oracle::Indices>& orders, const std::vector<oracle::Rows>& p,
                   std::vector<double>* out) {
  const oracle::LayerTensors& tensors = stream.tensors.layers[0];
  const int group = tensors.q_heads() / tensors.kv_heads();
  for (int row = 0; row < tokens; ++row) {
    for (int q = 0; q < tensors.q_heads(); ++q) {
      oracle::Indices order = orders[static_cast<size_t>(q / group)];
      for (int i = 0; i < tokens; ++i) order.push_back(layer.seen() - tokens + i);
      oracle::Row sum(CascadeStream::kDim, 0.0);
      for (size_t column = 0; column < p[q][row].size(); ++column) {
        const int position = order[column];
        const oracle::Row value = stream.Arriving(tensors.k[q / group][position], position);
        for (size_t dim = 0; dim < sum.size(); ++dim) sum[dim] += p[q][row][column] * value[dim];
      }
      out->insert(out->end(), sum.begin(), sum.end());
    }
  }
}

TEST_P(CascadeTest, AnswersAreAttentionOverTheCacheAtItsPositions) {
  for (uint64_t seed = 400; seed < 406; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const CascadeStream stream(seed);
    const int close = oracle::FirstCloseStep(stream.Expected(0, kPrompt).run.decisions);
    oracle::CascadeLayer plain(stream.tensors.layers[0], stream.rule);
    TestSequence sequence = Create(stream);
    for (int taken = 0; taken < std::min(close, kPrompt + 6);) {
      const int prompt = std::max(kPrompt - taken, 0);
      const bool decodes = prompt == 0;
      std::vector<double> expected;
      for (int left = decodes ? 1 : prompt; left > 0;) {
        const int chunk = std::min(left, decodes ? 1 : stream.stride);
        const std::vector<oracle::Indices> orders = {plain.head(0).InCacheOrder(),
                                                     plain.head(1).InCacheOrder()};
        const std::vector<oracle::Rows> p = plain.AttendChunk(chunk);
        AppendWeighed(stream, plain, chunk, orders, p, &expected);
        left -= chunk;
      }
      const CascadePart part{&sequence, &stream, decodes ? 1 : prompt,
                             decodes ? Phase::kDecode : Phase::kPrefill, !decodes};
      const std::vector<float> got = AnswerOf(*driver_, part);
      ASSERT_EQ(got.size(), expected.size());
      const size_t tokens = static_cast<size_t>(part.tokens);
      const size_t sure = taken + part.tokens <= close ? tokens : static_cast<size_t>(close - taken);
      for (size_t i = 0; i < sure * (got.size() / tokens); ++i) {
        ASSERT_NEAR(static_cast<double>(got[i]), expected[i], 2e-4) << "value " << i;
      }
      taken += static_cast<int>(part.tokens);
    }
  }
}

TEST_P(CascadeTest, ChunksDoNotShow) {
  std::mt19937_64 random(1);
  for (const int chunk : {1, 7, 64, kPrompt}) {
    SCOPED_TRACE(testing::Message() << "chunks of " << chunk);
    const CascadeStream stream(77);
    TestSequence sequence = Create(stream);
    TakePrompt(sequence, stream, chunk, random);
    ExpectHeld(*driver_, stream, sequence, &compared_);
  }
  EXPECT_EQ(compared_, 4 * 2 * 2);
}

TEST_P(CascadeTest, CallsMayBringPartsOfTheTokens) {
  for (int seed = 0; seed < 6 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const CascadeStream stream(static_cast<uint64_t>(200 + seed));
    TestSequence sequence = Create(stream);
    ASSERT_TRUE(
        RunCascade({{&sequence, &stream, kPrompt, Phase::kPrefill, true}}, seed).ok());
    ExpectHeld(*driver_, stream, sequence, &compared_);
    Decode(sequence, stream, 3);
  }
  EXPECT_GT(compared_, 6 * 4 * 2);
}

TEST_P(CascadeTest, WhatIsPendingMovesBeforeTheFirstDecodedToken) {
  std::mt19937_64 random(3);
  const CascadeStream stream(78);
  TestSequence sequence = Create(stream);
  TakePrompt(sequence, stream, 20, random, /*marked=*/false);
  Decode(sequence, stream, 8);
  EXPECT_EQ(compared_, 8 * 2 * 2);
}

TEST_P(CascadeTest, EntriesOfAllKindsMayBeOneStep) {
  const CascadeStream one(301, true);
  const CascadeStream other(302, true);
  const TestModel model = driver_->Register(one.Geometry());
  TestSequence first = driver_->Create(model, one.Policy());
  TestSequence second = driver_->Create(model, other.Policy());
  TestSequence third = driver_->Create(model, {.preset = "h2o"});
  ASSERT_TRUE(RunCascade({{&first, &one, kPrompt, Phase::kPrefill, true},
                          {&third, &one, 11, Phase::kPrefill},
                          {&second, &other, kPrompt, Phase::kPrefill, true}}).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(RunCascade({{&second, &other}, {&third, &one, 2}, {&first, &one}}).ok());
    ExpectHeld(*driver_, one, first, &compared_);
    ExpectHeld(*driver_, other, second, &compared_);
  }
  EXPECT_EQ(driver_->Held(third, 0, 0).size(), 21u);
  EXPECT_GT(compared_, 5 * 2);
}

TEST_P(CascadeTest, AForkSharesAndGoesOnAlone) {
  const CascadeStream stream(79);
  TestSequence parent = Prompted(stream, 5);
  const int64_t alone = driver_->Settled().pool.in_use;
  absl::StatusOr<TestSequence> child = driver_->Fork(parent);
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, alone);
  Decode(parent, stream, 4);
  Decode(*child, stream, 12);
  Decode(parent, stream, 8);
  EXPECT_EQ(compared_, 24 * 2 * 2);
  ASSERT_TRUE(driver_->Free(parent).ok());
  ASSERT_TRUE(driver_->Free(*child).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, 0);
}

TEST_P(CascadeTest, ForksInOneStepCopyWhatTheyShareOnce) {
  const CascadeStream stream(80);
  TestSequence parent = Prompted(stream, 6);
  absl::StatusOr<TestSequence> child = driver_->Fork(parent);
  ASSERT_TRUE(child.ok());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(RunCascade({{&parent, &stream}, {&*child, &stream}}).ok());
    ExpectHeld(*driver_, stream, parent, &compared_);
    ExpectHeld(*driver_, stream, *child, &compared_);
  }
  EXPECT_EQ(compared_, 20 * 2 * 2);
}

TEST_P(CascadeTest, StreamingLlmSeesSinksAndRecentTokens) {
  const CascadeStream stream(90);
  const TestModel model = driver_->Register(stream.Geometry());
  PolicySpec spec{.preset = "streaming_llm", .sink_tokens = 3, .recent_tokens = 9};
  spec.stride_tokens = 16;
  TestSequence sequence = driver_->Create(model, spec);
  ASSERT_TRUE(RunCascade({{&sequence, &stream, kPrompt, Phase::kPrefill, true}}).ok());
  ASSERT_TRUE(RunCascade({{&sequence, &stream}}).ok());
  const std::vector<int64_t> expected = {0, 1, 2, 83, 84, 85, 86, 87, 88, 89, 90};
  EXPECT_EQ(driver_->Held(sequence, 1, 1), expected);
}

TEST_P(CascadeTest, DecodingTakesNoMoreMemory) {
  const CascadeStream stream(81);
  TestSequence sequence = Prompted(stream, 7);
  const int64_t before = driver_->Settled().pool.in_use;
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(RunCascade({{&sequence, &stream}}).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, before);
}

TEST_P(CascadeTest, AnUndoneStepThatAttendedNothingLeavesTheSequenceAsItWas) {
  const CascadeStream stream(82);
  TestSequence sequence = Prompted(stream, 8);
  const int64_t before = driver_->Settled().pool.in_use;
  const auto begun = driver_->Begin({sluice::Decode(sequence)});
  ASSERT_TRUE(begun.ok());
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, before);
  Decode(sequence, stream, 4);
  EXPECT_EQ(compared_, 4 * 2 * 2);
}

TEST_P(CascadeTest, AnUndoneStepThatMovedTokensLosesTheSequence) {
  const CascadeStream stream(83);
  TestSequence sequence = Prompted(stream, 9);
  const auto begun = driver_->Begin({sluice::Decode(sequence)});
  ASSERT_TRUE(begun.ok());
  ASSERT_TRUE(AttendCascade(*driver_, begun->step, {{&sequence, &stream}}, 0).ok());
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  EXPECT_THAT(driver_->Begin({sluice::Decode(sequence)}).status(),
              Refused(absl::StatusCode::kAborted, Reason::kSequenceLost,
                      "entries[0].sequence_id"));
  ASSERT_TRUE(driver_->Free(sequence).ok());
  EXPECT_EQ(driver_->Settled().pool.in_use, 0);
}

TEST_P(CascadeTest, AnUndoneStepLosesNoSequenceWhoseTokensStayedPending) {
  const CascadeStream stream(87, /*arrives_rotated=*/true);
  const TestModel model = driver_->Register(stream.Geometry());
  PolicySpec spec{.preset = "streaming_llm", .sink_tokens = 3, .recent_tokens = 9};
  spec.stride_tokens = 16;
  TestSequence stays = driver_->Create(model, spec);
  TestSequence moves = driver_->Create(model, spec);
  const std::vector<CascadePart> parts = {{&stays, &stream, 5, Phase::kPrefill},
                                          {&moves, &stream, 16, Phase::kPrefill}};
  const auto begun = driver_->Begin({Prefill(stays, 5, false), Prefill(moves, 16, false)});
  ASSERT_TRUE(begun.ok());
  ASSERT_TRUE(AttendCascade(*driver_, begun->step, parts, 0).ok());
  ASSERT_TRUE(driver_->Abort(begun->step).ok());
  EXPECT_TRUE(RunCascade({parts[0]}).ok());
  EXPECT_FALSE(RunCascade({parts[1]}).ok());
}

TEST_P(CascadeTest, WhatACascadeCannotDoIsRefused) {
  const CascadeStream stream(84);
  TestSequence sequence = Prompted(stream, 10);
  StepPart back = sluice::Decode(sequence);
  back.rollback_to = kPrompt - 1;
  EXPECT_THAT(driver_->Begin({back}).status(), RefusedNeed("entries[0].rollback"));
  BeginStep stores_only;
  stores_only.append_only = true;
  EXPECT_THAT(driver_->Begin({sluice::Decode(sequence)}, stores_only).status(),
              RefusedNeed("append_only"));
  Compress compress;
  compress.sequence = sequence.id;
  EXPECT_THAT(driver_->Call(compress).status(), RefusedNeed("sequence_id"));
  SetPolicy set;
  set.sequence = sequence.id;
  set.policy.preset = "full";
  EXPECT_THAT(driver_->Call(set).status(), RefusedNeed("policy.preset"));
}

TEST_P(CascadeTest, AnInspectionTellsOfNoJob) {
  const CascadeStream stream(87);
  TestSequence sequence = Prompted(stream, 12);
  InspectSequence inspect;
  inspect.sequence = sequence.id;
  const absl::StatusOr<Inspected> inspected = driver_->Call(inspect);
  ASSERT_TRUE(inspected.ok());
  EXPECT_EQ(inspected->info.length, kPrompt);
  EXPECT_FALSE(inspected->plan.has_value());
}

TEST_P(CascadeTest, APolicyMayBecomeACascadeAndBackBeforeTheFirstToken) {
  std::mt19937_64 random(11);
  const CascadeStream stream(85, /*arrives_rotated=*/true);
  const TestModel model = driver_->Register(stream.Geometry());
  TestSequence sequence = driver_->Create(model, {.preset = "h2o"});
  SetPolicy set;
  set.sequence = sequence.id;
  for (const char* preset : {"streaming_llm", "full", "cascade"}) {
    set.policy = std::string(preset) == "cascade" ? stream.Policy() : PolicySpec{.preset = preset};
    ASSERT_TRUE(driver_->Call(set).ok()) << preset;
  }
  TakePrompt(sequence, stream, 0, random);
  ExpectHeld(*driver_, stream, sequence, &compared_);
  EXPECT_EQ(compared_, 2 * 2);
}

TEST_P(CascadeTest, OnlyACascadeTakesKeysThatComeUnrotated) {
  const CascadeStream stream(86, /*arrives_rotated=*/false);
  CreateSequence create;
  create.model_id = driver_->Register(stream.Geometry()).id;
  create.policy.preset = "sink_window";
  EXPECT_THAT(driver_->Call(create).status(), RefusedNeed("policy.preset"));
  create.policy.preset = "streaming_llm";
  EXPECT_TRUE(driver_->Call(create).ok());
}

SLUICE_ON_EVERY_BACKEND(CascadeTest);

}  // namespace
}  // namespace sluice
