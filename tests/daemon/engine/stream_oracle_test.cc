// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// The methods that act as tokens come: random prompts, parameters and decoded tokens
// through the engine hold what the plain implementations hold, at every turn.

#include <climits>

#include "gtest/gtest.h"
#include "tests/daemon/engine/oracle_world.h"
#include "tests/oracle/h2o.h"
#include "tests/oracle/l2norm.h"
#include "tests/oracle/tova.h"

namespace sluice {
namespace {

// ---- by accumulated attention

struct MassDraw {
  ScoreStream stream;
  int prompt = 0;
  int chunk = 0;
  oracle::Trigger trigger;
  oracle::H2oRule h2o;
  oracle::TovaRule tova;
};

// Few tokens where it acts on each, else enough for it to act twice at times.
MassDraw Draw(uint64_t seed, int every) {
  std::mt19937_64 random(seed);
  MassDraw draw{.stream = {}, .trigger = {.every = every}, .h2o = {}, .tova = {}};
  draw.prompt = Between(random, 1, 30);
  draw.chunk = Between(random, 0, 1) == 0 ? Between(random, 4, 9) : draw.prompt;
  draw.trigger.hysteresis = Between(random, 0, 2) == 0 ? Between(random, 1, every) : 0;
  draw.h2o.heavy = Between(random, 1, 14);
  draw.h2o.recent = Between(random, 1, 8);
  draw.h2o.mean = Between(random, 0, 2) == 0;
  draw.h2o.squared = Between(random, 0, 2) == 0;
  draw.h2o.reduce =
      Between(random, 0, 1) == 0 ? oracle::GroupReduce::kMean : oracle::GroupReduce::kSum;
  draw.tova.capacity = Between(random, 1, 20);
  draw.tova.protect_last = Between(random, 0, std::min(3, draw.tova.capacity));
  const int decoded = every == 1 ? Between(random, 4, 9) : every + Between(random, 0, every + 2);
  draw.stream = DrawStream(random, every == 1 ? Between(random, 1, 2) : 1,
                           draw.prompt + decoded, 2);
  return draw;
}

TriggerSpec Triggers(const oracle::Trigger& trigger) {
  return {.prefill_end = true,
          .every_tokens = trigger.every,
          .hysteresis_tokens = trigger.hysteresis};
}

PolicySpec H2oSpec(const MassDraw& draw) {
  PolicySpec spec{.preset = "h2o", .recent_tokens = draw.h2o.recent};
  spec.heavy_tokens = draw.h2o.heavy;
  spec.squared = draw.h2o.squared;
  spec.normalise = draw.h2o.mean ? ScoreNormalise::kMean : ScoreNormalise::kNone;
  spec.group_reduce =
      draw.h2o.reduce == oracle::GroupReduce::kMean ? HeadReduce::kMean : HeadReduce::kSum;
  spec.triggers = Triggers(draw.trigger);
  return spec;
}

PolicySpec TovaSpec(const MassDraw& draw) {
  PolicySpec spec{.preset = "tova", .budget_tokens = draw.tova.capacity};
  spec.protect_last_tokens = draw.tova.protect_last;
  spec.triggers = Triggers(draw.trigger);
  return spec;
}

std::vector<oracle::TokenRun> PlainRuns(const MassDraw& draw, bool h2o) {
  std::vector<oracle::TokenRun> runs;
  for (const oracle::LayerTensors& layer : draw.stream.layers) {
    runs.push_back(h2o ? oracle::RunH2o(layer, draw.prompt, draw.trigger, draw.h2o)
                       : oracle::RunTova(layer, draw.prompt, draw.trigger, draw.tova));
  }
  return runs;
}

class MassOracleTest : public ::testing::Test {
 protected:
  // Compares where the plain run acted, at times between, and at the end; a layer until a
  // decision was close.
  void Compare(const TestSequence& sequence, const MassDraw& draw,
               const std::vector<oracle::TokenRun>& runs) {
    const auto decoded = static_cast<int>(sequence.length()) - draw.prompt;
    const int tokens = draw.stream.layers[0].tokens();
    const auto held = [&](int step) {
      return oracle::Size(runs[0].steps[static_cast<size_t>(step)].held[0]);
    };
    const bool grew = decoded > 0 && held(decoded) > held(decoded - 1);
    if (grew && decoded % 8 != 0 && sequence.length() < tokens) return;
    for (int layer = 0; layer < oracle::Size(runs); ++layer) {
      const oracle::TokenRun& run = runs[static_cast<size_t>(layer)];
      if (sequence.length() >= oracle::FirstCloseStep(run.decisions)) continue;
      ASSERT_EQ(world_.Held(sequence, draw.stream, layer),
                run.steps[static_cast<size_t>(decoded)].held)
          << "layer " << layer << ", length " << sequence.length();
      if (sequence.length() == tokens) ++whole_layers_;
    }
  }

  void Run(const MassDraw& draw, bool h2o) {
    const std::vector<oracle::TokenRun> runs = PlainRuns(draw, h2o);
    TestSequence sequence = world_.Create(draw.stream, h2o ? H2oSpec(draw) : TovaSpec(draw));
    world_.Prefill(sequence, draw.stream, draw.prompt, draw.chunk);
    Compare(sequence, draw, runs);
    while (sequence.length() < draw.stream.layers[0].tokens() && !HasFatalFailure()) {
      world_.Step(sequence, draw.stream, 1, Phase::kDecode);
      Compare(sequence, draw, runs);
    }
    world_.Free(sequence);
  }

  void RunAll(bool h2o, int every) {
    for (uint64_t seed = 0; seed < kOracleSeeds && !HasFatalFailure(); ++seed) {
      SCOPED_TRACE(seed);
      Run(Draw(seed, every), h2o);
    }
    EXPECT_GT(whole_layers_, kOracleSeeds * 9 / 10);
  }

  OracleWorld world_;
  uint64_t whole_layers_ = 0;  // compared to their end
};

TEST_F(MassOracleTest, H2oAfterEveryToken) { RunAll(/*h2o=*/true, 1); }
TEST_F(MassOracleTest, H2oEvery32Tokens) { RunAll(/*h2o=*/true, 32); }
TEST_F(MassOracleTest, TovaAfterEveryToken) { RunAll(/*h2o=*/false, 1); }
TEST_F(MassOracleTest, TovaEvery32Tokens) { RunAll(/*h2o=*/false, 32); }

// ---- by the norms of keys

enum class L2Form { kAuthor, kPress, kCount, kAuthorStream, kCountStream, kInterval };

struct L2Draw {
  L2Form form = L2Form::kAuthor;
  ScoreStream stream;
  oracle::L2CompressRule author;
  double removed_share = 0;
  int budget = 0;
  int first = 0;
  int last = 0;
  int every = 1;

  bool decodes() const { return form >= L2Form::kAuthorStream; }
};

L2Draw Draw(uint64_t seed) {
  std::mt19937_64 random(seed);
  L2Draw draw{.form = static_cast<L2Form>(seed % 6), .stream = {}, .author = {}};
  const int layers = Between(random, 1, draw.decodes() ? 2 : 4);
  const int tokens = Between(random, 1, draw.decodes() ? 20 : 60);
  draw.author.keep_ratio = Between(random, 1, 100) / 100.0;
  draw.author.prune_after = Between(random, 1, tokens + 2);
  for (int layer = 1; layer < layers; ++layer) {  // naming all is refused
    if (Between(random, 0, 3) == 0) draw.author.skip_layers.push_back(layer);
  }
  draw.removed_share = Between(random, 0, 99) / 100.0;
  draw.budget = Between(random, 1, 30);
  draw.first = draw.form == L2Form::kCount ? Between(random, 0, draw.budget / 2) : 0;
  draw.last = draw.form == L2Form::kCount ? Between(random, 0, draw.budget / 2) : 0;
  if (draw.form == L2Form::kInterval) {
    draw.every = Between(random, 2, 7);
    draw.budget = Between(random, 1, draw.every - 1);  // so that each interval ends over it
  }
  draw.stream = DrawStream(random, layers, tokens, 2, /*most_group=*/1);
  return draw;
}

PolicySpec SpecOf(const L2Draw& draw) {
  PolicySpec spec{.preset = "l2norm"};
  spec.skip_layers.emplace();
  const bool author = draw.form == L2Form::kAuthor || draw.form == L2Form::kAuthorStream;
  if (author) {
    spec.ratio = {draw.author.keep_ratio, Ratio::Of::kKept, Ratio::Rounding::kCeil};
    spec.prune_after_tokens = draw.author.prune_after;
    spec.skip_layers->assign(draw.author.skip_layers.begin(), draw.author.skip_layers.end());
  } else if (draw.form == L2Form::kPress) {
    spec.ratio = {draw.removed_share, Ratio::Of::kRemoved, Ratio::Rounding::kFloor};
    spec.prune_after_tokens = 0;
  } else {
    spec.budget_tokens = draw.budget;
  }
  if (draw.form == L2Form::kCount) {
    spec.protect_first_tokens = draw.first;
    spec.protect_last_tokens = draw.last;
  }
  spec.triggers = TriggerSpec{.prefill_end = true};
  if (draw.decodes()) {
    spec.triggers->every_tokens = draw.every;
    if (!author) spec.triggers->hysteresis_tokens = 0;
  }
  return spec;
}

// What one head holds after each token, or of a prompt as the only entry.
oracle::L2Stream Plain(const L2Draw& draw, int layer, int head) {
  const oracle::Row norms =
      oracle::KeyNorms(draw.stream.layers[static_cast<size_t>(layer)].k[static_cast<size_t>(head)]);
  if (draw.form == L2Form::kAuthorStream) {
    return oracle::StreamL2Compress(norms, layer, draw.author);
  }
  if (draw.form == L2Form::kCountStream) return oracle::StreamFixedBudget(norms, draw.budget);
  if (draw.form == L2Form::kInterval) {
    return oracle::StreamEvery(norms, draw.every, draw.budget);
  }
  const oracle::L2NormChoice choice =
      draw.form == L2Form::kAuthor  ? oracle::L2Compress(norms, layer, draw.author)
      : draw.form == L2Form::kPress ? oracle::KnormPress(norms, draw.removed_share)
                                    : oracle::KeepLowestNorms(norms, draw.budget, draw.first,
                                                              draw.last);
  return {.held = {choice.kept}, .decisions = {choice.decision}};
}

class L2OracleTest : public ::testing::Test {
 protected:
  void Compare(const TestSequence& sequence, const L2Draw& draw) {
    const size_t place = draw.decodes() ? static_cast<size_t>(sequence.length()) - 1 : 0;
    for (int layer = 0; layer < oracle::Size(draw.stream.layers); ++layer) {
      const oracle::HeadSets held = world_.Held(sequence, draw.stream, layer);
      for (int head = 0; head < oracle::Size(held); ++head) {
        const oracle::L2Stream plain = Plain(draw, layer, head);
        const int close = oracle::FirstCloseStep(plain.decisions);
        if (close < INT_MAX && (!draw.decodes() || sequence.length() >= close)) continue;
        ASSERT_EQ(held[static_cast<size_t>(head)], plain.held[place])
            << "layer " << layer << ", head " << head << ", length " << sequence.length();
        ++compared_;
      }
    }
  }

  void Run(const L2Draw& draw) {
    const int tokens = draw.stream.layers[0].tokens();
    TestSequence sequence = world_.Create(draw.stream, SpecOf(draw));
    if (!draw.decodes()) world_.Prefill(sequence, draw.stream, tokens, tokens);
    while (sequence.length() < tokens && !HasFatalFailure()) {
      world_.Step(sequence, draw.stream, 1, Phase::kDecode);
      if (sequence.length() % draw.every == 0) Compare(sequence, draw);
    }
    Compare(sequence, draw);
    world_.Free(sequence);
  }

  OracleWorld world_;
  uint64_t compared_ = 0;
};

TEST_F(L2OracleTest, EveryFormHoldsWhatThePlainImplementationHolds) {
  for (uint64_t seed = 0; seed < kOracleSeeds && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Run(Draw(seed));
  }
  EXPECT_GT(compared_, 5 * kOracleSeeds);
}

}  // namespace
}  // namespace sluice
