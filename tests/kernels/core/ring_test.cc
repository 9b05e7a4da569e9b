// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "tests/oracle/cascade_cache.h"
#include "tests/oracle/random_tensors.h"

namespace sluice {
namespace {

using oracle::CascadeCache;
using oracle::CascadeRule;
using oracle::HeadSets;
using oracle::Indices;
using oracle::RandomBelow;
using testing::ElementsAre;
using testing::Each;

CascadeGeometry GeometryOf(const CascadeRule& rule) {
  std::vector<int64_t> periods;
  for (const int period : oracle::AcceptancePeriods(rule.periods, rule.rings)) {
    periods.push_back(period);
  }
  return MakeCascadeGeometry(rule.sinks, rule.rings, rule.ring_size(), 1, rule.eager,
                             periods.data());
}

// A body that is only tokens and scores, moved as DecideCascade says.
class Body {
 public:
  explicit Body(const CascadeRule& rule) : Body(GeometryOf(rule)) {}
  explicit Body(const CascadeGeometry& geometry)
      : geometry_(geometry), tokens_(geometry.body_slots(), -1), scores_(tokens_.size(), NAN) {}

  void Insert(const std::vector<float>& scores) {
    const auto count = static_cast<int64_t>(scores.size());
    const CascadeChanges changes = ChangesOf(geometry_, seen_, count);
    std::vector<int32_t> sources(static_cast<size_t>(changes.slots), -1);
    const auto score = [&](int32_t source) {
      return source < geometry_.body_slots() ? scores_[source]
                                             : scores[source - geometry_.body_slots()];
    };
    DecideCascade(geometry_, changes, score, sources.data());
    const auto put = [&](int32_t slot, int32_t source) {
      const bool pending = source >= geometry_.body_slots();
      const float moved = score(source);
      tokens_[slot] = pending ? static_cast<int>(seen_) + source - geometry_.body_slots()
                              : tokens_[source];
      scores_[slot] = moved;
    };
    for (int32_t ring = geometry_.ring_count - 1; ring >= 0; --ring) {
      for (int32_t k = 0; k < changes.rings[ring].slots; ++k) {
        put(ChangedSlot(geometry_, changes, ring, k), sources[changes.rings[ring].offset + k]);
      }
    }
    for (int32_t k = 0; k < changes.sinks; ++k) put(changes.first_sink + k, sources[k]);
    seen_ += count;
  }

  // Tokens in the order of their cache positions.
  Indices InCacheOrder() const {
    Indices order;
    for (int32_t i = 0; i <= 2 * geometry_.ring_count; ++i) {
      const CascadePiece piece = CascadePieceAt(geometry_, seen_, i);
      for (int32_t k = 0; k < piece.slots; ++k) order.push_back(tokens_[piece.first_slot + k]);
    }
    return order;
  }

  // Of each ring, oldest first.
  HeadSets Rings() const {
    HeadSets rings;
    for (int32_t i = 0; i < geometry_.ring_count; ++i) {
      const RingState state = RingAfter(geometry_, i, seen_);
      rings.emplace_back();
      for (int32_t k = 0; k < state.count; ++k) {
        rings.back().push_back(
            tokens_[geometry_.first_slot(i) + (state.start + k) % geometry_.ring_slots]);
      }
    }
    return rings;
  }

  const CascadeGeometry& geometry() const { return geometry_; }
  const Indices& tokens() const { return tokens_; }
  int64_t seen() const { return seen_; }

 private:
  CascadeGeometry geometry_;
  Indices tokens_;  // [body_slots]; -1: nothing yet
  std::vector<float> scores_;
  int64_t seen_ = 0;
};

Body Filled(const CascadeRule& rule, int tokens, const std::function<float(int)>& score) {
  Body body(rule);
  for (int t = 0; t < tokens; ++t) body.Insert({score(t)});
  return body;
}

// core-methods 3(i): the scores of A and B; token 0 is the sink.
const std::vector<float> kScores = {0.0f, 0.5f, 0.1f,  0.9f, 0.3f,  0.2f, 0.8f,
                                    0.4f, 0.6f, 0.05f, 0.7f, 0.15f, 0.35f};
const CascadeRule kRule{.total = 4, .rings = 2, .sinks = 1};

std::vector<HeadSets> RingsAfterEach(const CascadeRule& rule) {
  std::vector<HeadSets> steps;
  Body body(rule);
  for (const float score : kScores) {
    body.Insert({score});
    steps.push_back(body.Rings());
  }
  return steps;
}

TEST(RingTest, ExampleA) {
  const std::vector<HeadSets> expected = {
      {{}, {}},          {{1}, {}},          {{1, 2}, {}},       {{2, 3}, {1}},    {{3, 4}, {1, 2}},
      {{4, 5}, {2, 3}},  {{5, 6}, {2, 3}},   {{6, 7}, {3, 5}},   {{7, 8}, {3, 6}}, {{8, 9}, {6, 7}},
      {{9, 10}, {6, 8}}, {{10, 11}, {8, 9}}, {{11, 12}, {8, 10}}};
  EXPECT_EQ(RingsAfterEach(kRule), expected);
}

TEST(RingTest, ExampleAInOneChunk) {
  Body body(kRule);
  body.Insert(kScores);
  // Index is cache position; the next query stands at 5.
  EXPECT_THAT(body.InCacheOrder(), ElementsAre(0, 8, 10, 11, 12));
  EXPECT_EQ(CascadeSlots(body.geometry(), 13), 5);
}

TEST(RingTest, ExampleBWithoutEagerFill) {
  CascadeRule rule = kRule;
  rule.eager = false;
  const std::vector<HeadSets> steps = RingsAfterEach(rule);
  EXPECT_EQ(steps[4], (HeadSets{{3, 4}, {1}}));
  EXPECT_EQ(steps[5], (HeadSets{{4, 5}, {1, 3}}));
  EXPECT_EQ(steps[6], (HeadSets{{5, 6}, {1, 3}}));  // 4 lost
  const std::vector<HeadSets> eager = RingsAfterEach(kRule);
  for (int t = 7; t < 13; ++t) EXPECT_EQ(steps[t], eager[t]) << t;
}

TEST(RingTest, ExampleCEqualScoresAreWonByTheChallenger) {
  const Body body =
      Filled({.total = 6, .rings = 3, .sinks = 2}, 40, [](int) { return 1.0f; });
  EXPECT_THAT(body.InCacheOrder(), ElementsAre(0, 1, 31, 33, 35, 37, 38, 39));
}

TEST(RingTest, ExampleDNewerAlwaysLoses) {
  const Body body = Filled({.total = 6, .rings = 3, .sinks = 2}, 40,
                           [](int t) { return static_cast<float>(-t); });
  EXPECT_EQ(body.Rings(), (HeadSets{{38, 39}, {34, 36}, {28, 32}}));
}

TEST(RingTest, ExampleEOneRingIsAWindow) {
  std::mt19937_64 random(5);
  const Body body = Filled({.total = 6, .rings = 1, .sinks = 2}, 40, [&](int) {
    return static_cast<float>(oracle::RandomValue(random));
  });
  EXPECT_THAT(body.InCacheOrder(), ElementsAre(0, 1, 34, 35, 36, 37, 38, 39));
}

// Any rule, and scores with ties and numbers that are none.
class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) {
    const int rings = 1 + RandomBelow(random_, 6);
    const std::vector<const char*> periods = {"pow2",       "pow2",   "pow3",    "iplus1",
                                              "1-then-2",   "pow2-1", "pow2-1-4", "pow4"};
    rule_ = {.total = rings * (1 + RandomBelow(random_, 7)),
             .rings = rings,
             .sinks = RandomBelow(random_, 4),
             .eager = RandomBelow(random_, 2) == 0,
             .periods = periods[RandomBelow(random_, 8)]};
  }

  const CascadeRule& rule() const { return rule_; }
  int Below(int bound) { return RandomBelow(random_, bound); }
  float Score() {
    const int score = Below(9);
    return score == 0 ? NAN : static_cast<float>(score);
  }

 private:
  std::mt19937_64 random_;
  CascadeRule rule_;
};

TEST(RingTest, AnyChunksHoldWhatThePlainRuleHolds) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RandomRun run(seed);
    CascadeCache expected(run.rule());
    Body body(run.rule());
    while (body.seen() < 150) {
      std::vector<float> chunk(1 + run.Below(run.Below(3) == 0 ? 60 : 6));
      for (float& score : chunk) {
        score = run.Score();
        expected.Insert(score);
      }
      body.Insert(chunk);
      ASSERT_EQ(body.InCacheOrder(), expected.InCacheOrder())
          << "seed " << seed << ", token " << body.seen();
    }
  }
}

TEST(RingTest, SlotsInUseAreTheFirstOnesAndAreReachedInTime) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    RandomRun run(seed);
    Body body(run.rule());
    for (int t = 0; t < 150; ++t) {
      body.Insert({run.Score()});
      const int32_t used = CascadeSlots(body.geometry(), body.seen());
      for (int32_t slot = 0; slot < body.geometry().body_slots(); ++slot) {
        ASSERT_EQ(body.tokens()[slot] >= 0, slot < used) << "seed " << seed << " slot " << slot;
        ASSERT_EQ(TokensToReach(body.geometry(), slot) <= body.seen(), slot < used)
            << "seed " << seed << " slot " << slot << " token " << t;
      }
    }
  }
}

TEST(RingTest, OnlyTheSlotsOfItsChangesChange) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    RandomRun run(seed);
    Body body(run.rule());
    while (body.seen() < 100) {
      const std::vector<float> chunk(1 + run.Below(9), 1.0f);
      const auto count = static_cast<int64_t>(chunk.size());
      const CascadeChanges changes = ChangesOf(body.geometry(), body.seen(), count);
      std::vector<bool> may_change(body.tokens().size());
      for (int32_t k = 0; k < changes.sinks; ++k) may_change[changes.first_sink + k] = true;
      for (int32_t i = 0; i < body.geometry().ring_count; ++i) {
        for (int32_t k = 0; k < changes.rings[i].slots; ++k) {
          may_change[ChangedSlot(body.geometry(), changes, i, k)] = true;
        }
      }
      EXPECT_EQ(std::count(may_change.begin(), may_change.end(), true), changes.slots);
      const Indices before = body.tokens();
      body.Insert(chunk);
      for (size_t slot = 0; slot < before.size(); ++slot) {
        ASSERT_TRUE(may_change[slot] || body.tokens()[slot] == before[slot]) << "seed " << seed;
      }
    }
  }
}

TEST(RingTest, ADecodeStepChangesTwoSlotsARingAtMost) {
  const CascadeGeometry geometry = GeometryOf({.total = 64, .rings = 4, .sinks = 4});
  for (int64_t token = 100; token < 300; ++token) {
    EXPECT_LE(ChangesOf(geometry, token, 1).slots, 8);
  }
}

TEST(RingTest, ContentMovesToLaterRingsOnly) {
  const CascadeGeometry geometry = GeometryOf({.total = 32, .rings = 4, .sinks = 2});
  const CascadeChanges changes = ChangesOf(geometry, 50, 40);
  std::vector<int32_t> sources(static_cast<size_t>(changes.slots), -1);
  DecideCascade(geometry, changes, [](int32_t source) { return static_cast<float>(source % 7); },
                sources.data());
  int32_t moved = 0;
  for (int32_t i = 0; i < 4; ++i) {
    for (int32_t k = 0; k < changes.rings[i].slots; ++k) {
      const int32_t source = sources[changes.rings[i].offset + k];
      if (source == ChangedSlot(geometry, changes, i, k)) continue;
      EXPECT_TRUE(source < geometry.first_slot(i) || source >= geometry.body_slots());
      if (source < geometry.body_slots()) ++moved;
    }
  }
  EXPECT_GT(moved, 0);
}

TEST(RingTest, PiecesCoverTheSlotsInUse) {
  const CascadeGeometry geometry = GeometryOf({.total = 48, .rings = 3, .sinks = 5});
  for (int64_t tokens = 0; tokens < 200; ++tokens) {
    std::vector<int> seen(static_cast<size_t>(CascadeSlots(geometry, tokens)));
    for (int32_t i = 0; i <= 6; ++i) {
      const CascadePiece piece = CascadePieceAt(geometry, tokens, i);
      for (int32_t k = 0; k < piece.slots; ++k) ++seen.at(piece.first_slot + k);
    }
    EXPECT_THAT(seen, Each(1)) << tokens;
  }
}

TEST(RingTest, PeriodsBeyondAnyStreamAreNeverReached) {
  const std::vector<int64_t> periods(16, int64_t{1} << 61);
  std::vector<int64_t> coprime = periods;
  for (size_t i = 1; i < coprime.size(); ++i) coprime[i] = periods[i] - static_cast<int64_t>(i);
  const CascadeGeometry geometry = MakeCascadeGeometry(0, 16, 4, 1, false, coprime.data());
  EXPECT_EQ(geometry.rings[15].period, kNeverReached);
  EXPECT_EQ(CascadeSlots(geometry, int64_t{1} << 40), 1);
  EXPECT_EQ(TokensToReach(geometry, 63), kNeverReached);
}

TEST(RingTest, APendingChunkEndsAtTheNextMultipleOfTheStride) {
  const int64_t period = 1;
  const CascadeGeometry geometry = MakeCascadeGeometry(0, 1, 4, 512, true, &period);
  EXPECT_EQ(PendingChunkEnd(geometry, 0), 512);
  EXPECT_EQ(PendingChunkEnd(geometry, 511), 512);
  EXPECT_EQ(PendingChunkEnd(geometry, 512), 1024);
}

}  // namespace
}  // namespace sluice
