// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Cascades of random shapes through the engine hold, after a prompt and every decoded
// token, what the plain implementation holds, in the cache's order.

#include "gtest/gtest.h"
#include "tests/daemon/engine/cascade_streams.h"
#include "tests/daemon/engine/oracle_world.h"

namespace sluice {
namespace {

// A stream that is cut to what is used of it.
struct CascadeDraw {
  CascadeStream stream;
  int prompt = 0;
  int chunk = 0;
  int tokens = 0;

  CascadeDraw(uint64_t seed, std::mt19937_64& random) : stream(seed) {
    prompt = Between(random, 1, 40);
    chunk = Between(random, 1, prompt);
    tokens = prompt + Between(random, 1, 6);
    stream.tensors.layers.resize(1);
    for (std::vector<oracle::Rows>* heads :
         {&stream.tensors.layers[0].q, &stream.tensors.layers[0].k}) {
      for (oracle::Rows& rows : *heads) rows.resize(static_cast<size_t>(tokens));
    }
    stream.stride = Between(random, 1, 12);
    stream.rule.cache.sinks = Between(random, 0, 6);
    stream.rule.cache.total = stream.rule.cache.rings * Between(random, 1, 4);
  }
};

class CascadeOracleTest : public ::testing::Test {
 protected:
  // Until a fight was too close to call.
  void Compare(const CascadeDraw& draw, const PolicySpec& policy) {
    const CascadeStream& stream = draw.stream;
    TestSequence sequence = driver_.Create(driver_.Register(stream.Geometry()), policy);
    const oracle::CascadeRun& expected = stream.Expected(0, draw.prompt);
    while (sequence.length() < draw.tokens) {
      const int64_t left = draw.prompt - sequence.length();
      const int64_t tokens = left > 0 ? std::min<int64_t>(left, draw.chunk) : 1;
      const CascadePart part{&sequence, &stream, tokens,
                             left > 0 ? Phase::kPrefill : Phase::kDecode, left == tokens};
      ASSERT_TRUE(RunCascadeStep(driver_, {part}).ok());
      if (sequence.length() < draw.prompt) continue;
      if (sequence.length() > oracle::FirstCloseStep(expected.run.decisions)) break;
      const auto step = static_cast<size_t>(sequence.length() - draw.prompt);
      for (int head = 0; head < 2; ++head) {
        const oracle::Indices& order = expected.cache_order[step][static_cast<size_t>(head)];
        ASSERT_EQ(driver_.Held(sequence, 0, head),
                  std::vector<int64_t>(order.begin(), order.end()))
            << "head " << head << ", length " << sequence.length();
        ++compared_;
      }
    }
    ASSERT_TRUE(driver_.Free(sequence).ok());
  }

  EngineDriver driver_{OracleOptions()};
  uint64_t compared_ = 0;
};

TEST_F(CascadeOracleTest, CascadesHoldWhatThePlainImplementationHolds) {
  for (uint64_t seed = 0; seed < kOracleSeeds && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed + 5000);
    const CascadeDraw draw(seed, random);
    Compare(draw, draw.stream.Policy());
  }
  EXPECT_GT(compared_, 4 * kOracleSeeds);
}

TEST_F(CascadeOracleTest, StreamingLlmHoldsWhatThePlainImplementationHolds) {
  for (uint64_t seed = 0; seed < kOracleSeeds && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed + 9000);
    CascadeDraw draw(seed, random);
    PolicySpec policy{.preset = "streaming_llm", .sink_tokens = Between(random, 0, 6)};
    policy.recent_tokens = Between(random, 2, 20);
    policy.stride_tokens = draw.stream.stride;
    draw.stream.rule.cache = oracle::StreamingRing(static_cast<int>(*policy.sink_tokens),
                                                   static_cast<int>(*policy.recent_tokens));
    Compare(draw, policy);
  }
  EXPECT_GT(compared_, 4 * kOracleSeeds);
}

}  // namespace
}  // namespace sluice
