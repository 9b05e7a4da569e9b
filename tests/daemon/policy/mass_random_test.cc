// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Random sequences under h2o and tova, against the plain implementations.

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "tests/daemon/policy/mass_presets.h"
#include "tests/daemon/policy/mass_sequence.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/oracle/h2o.h"
#include "tests/oracle/random_tensors.h"
#include "tests/oracle/tova.h"

namespace sluice {
namespace {

constexpr int kSeeds = 1000;

// A stream, when its policy acts, and how much of it was compared.
struct Stream {
  oracle::LayerTensors tensors;
  int prompt = 0;
  oracle::Trigger trigger;
  int compared_steps = 0;

  // The plain implementations act at multiples of `every`, the policies as soon as it
  // pays after so many; the same, if every interval pays.
  Stream(std::mt19937_64& random, int budget) {
    oracle::TensorShape shape{.dim = 8};
    shape.tokens = budget + 12 + oracle::RandomBelow(random, 12);
    shape.kv_heads = 1 + oracle::RandomBelow(random, 3);
    shape.q_heads = shape.kv_heads * (1 + oracle::RandomBelow(random, 3));
    tensors = oracle::RandomTensors(random, shape);
    trigger.every = 1 + oracle::RandomBelow(random, 4);
    const bool each_token = trigger.every == 1;
    const int shortest = each_token ? 1 : budget + 1;
    prompt = shortest + oracle::RandomBelow(random, shape.tokens - shortest);
    trigger.hysteresis = oracle::RandomBelow(random, each_token ? 4 : trigger.every + 1);
  }

  TriggerSpec triggers() const {
    return {.prefill_end = true,
            .every_tokens = trigger.every,
            .hysteresis_tokens = trigger.hysteresis};
  }
};

// Runs the policy, and compares after every step until a decision was too close.
void Compare(PolicySpec spec, const oracle::TokenRun& expected, Stream& stream) {
  const int heads = stream.tensors.kv_heads();
  spec.triggers = stream.triggers();
  MassSequence sequence(MassPreset(spec, UniformModel(1, heads)), heads);
  const int close = oracle::FirstCloseStep(expected.decisions);
  int first = 0;
  for (const oracle::HeldStep& step : expected.steps) {
    if (step.tokens >= close) return;
    std::vector<std::vector<oracle::Rows>> paid;
    for (int head = 0; head < heads; ++head) {
      oracle::Indices slots(sequence.held()[static_cast<size_t>(head)]);
      for (int token = first; token < step.tokens; ++token) slots.push_back(token);
      paid.push_back(oracle::GroupAttention(stream.tensors, head, first, step.tokens, slots));
    }
    sequence.Attend(paid);
    sequence.Close(/*decode=*/first > 0);
    ASSERT_EQ(sequence.held(), step.held) << "after token " << step.tokens;
    first = step.tokens;
    ++stream.compared_steps;
  }
}

TEST(MassRandomTest, H2oHoldsWhatThePlainImplementationHolds) {
  int64_t compared = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    oracle::H2oRule rule;
    rule.heavy = 1 + oracle::RandomBelow(random, 8);
    rule.recent = 1 + oracle::RandomBelow(random, 8);
    rule.mean = oracle::RandomBelow(random, 3) == 0;
    rule.squared = oracle::RandomBelow(random, 3) == 0;
    if (oracle::RandomBelow(random, 2) == 0) rule.reduce = oracle::GroupReduce::kSum;
    PolicySpec spec{.preset = "h2o", .recent_tokens = rule.recent};
    spec.heavy_tokens = rule.heavy;
    spec.normalise = rule.mean ? ScoreNormalise::kMean : ScoreNormalise::kNone;
    spec.squared = rule.squared;
    spec.group_reduce =
        rule.reduce == oracle::GroupReduce::kSum ? HeadReduce::kSum : HeadReduce::kMean;
    Stream stream(random, rule.heavy + rule.recent);
    Compare(spec, oracle::RunH2o(stream.tensors, stream.prompt, stream.trigger, rule), stream);
    if (HasFatalFailure()) return;
    compared += stream.compared_steps;
  }
  EXPECT_GT(compared, 10 * kSeeds);
}

TEST(MassRandomTest, TovaHoldsWhatThePlainImplementationHolds) {
  int64_t compared = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    oracle::TovaRule rule;
    rule.capacity = 1 + oracle::RandomBelow(random, 12);
    rule.protect_last = oracle::RandomBelow(random, std::min(rule.capacity + 1, 4));
    PolicySpec spec{.preset = "tova", .budget_tokens = rule.capacity};
    spec.protect_last_tokens = rule.protect_last;
    Stream stream(random, rule.capacity);
    Compare(spec, oracle::RunTova(stream.tensors, stream.prompt, stream.trigger, rule), stream);
    if (HasFatalFailure()) return;
    compared += stream.compared_steps;
  }
  EXPECT_GT(compared, 10 * kSeeds);
}

}  // namespace
}  // namespace sluice
