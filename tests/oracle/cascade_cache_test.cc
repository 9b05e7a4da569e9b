// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/cascade_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <utility>

#include "tests/oracle/random_tensors.h"
#include "tests/oracle/sink_window.h"

namespace sluice::oracle {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

HeadSets Rings(const CascadeCache& cache) {
  HeadSets rings;
  for (const auto& ring : cache.rings()) {
    rings.emplace_back();
    for (const CascadeCache::Entry& entry : ring) rings.back().push_back(entry.position);
  }
  return rings;
}

CascadeCache Filled(const CascadeRule& rule, int tokens, const std::function<double(int)>& score) {
  CascadeCache cache(rule);
  for (int t = 0; t < tokens; ++t) cache.Insert(score(t));
  return cache;
}

// core-methods.md, 3(i): the scores of A and B; token 0 is the sink.
const Row kScores = {0, .5, .1, .9, .3, .2, .8, .4, .6, .05, .7, .15, .35};
const CascadeRule kRule{.total = 4, .rings = 2, .sinks = 1};

std::vector<HeadSets> RingsAfterEach(const CascadeRule& rule) {
  std::vector<HeadSets> steps;
  CascadeCache cache(rule);
  for (double score : kScores) {
    cache.Insert(score);
    steps.push_back(Rings(cache));
  }
  return steps;
}

// The rule of 3(c.2) with physical slots, `start` and `cnt`, as it is written there.
struct SlotCache {
  CascadeRule rule;
  HeadSets token = HeadSets(rule.rings, Indices(rule.ring_size(), -1));
  Rows score = Rows(rule.rings, Row(rule.ring_size(), 0));
  Indices start = Indices(rule.rings, 0);
  Indices cnt = Indices(rule.rings, 0);
  int seen = 0;

  void Put(int i, int p, int current, double mu) {
    token[i][p] = current;
    score[i][p] = mu;
  }

  void Insert(double mu) {
    int current = seen++;
    const int x = current - rule.sinks;
    const int size = rule.ring_size();
    for (int i = 0; x >= 0 && i < rule.rings; ++i) {
      if ((rule.eager && x <= rule.total) || x % (1 << i) == 0) {
        if (cnt[i] < size) return Put(i, start[i] + cnt[i]++, current, mu);
        std::swap(current, token[i][start[i]]);
        std::swap(mu, score[i][start[i]]);
        start[i] = (start[i] + 1) % size;
        continue;
      }
      if (cnt[i] == 0) return Put(i, start[i] + cnt[i]++, current, mu);
      const int p = (start[i] + cnt[i] - 1) % cnt[i];
      if (mu >= score[i][p]) Put(i, p, current, mu);
      return;
    }
  }

  // Tokens by the position of their slots: S + base_i + ((p - start_i) mod cnt_i).
  Indices InCacheOrder() const {
    Indices order = Range(std::min(seen, rule.sinks));
    for (int i = rule.rings - 1; i >= 0; --i) {
      for (int n = 0; n < cnt[i]; ++n) order.push_back(token[i][(start[i] + n) % cnt[i]]);
    }
    return order;
  }
};

TEST(CascadeCacheTest, EqualsTheRuleAsItIsWritten) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    std::mt19937_64 random(seed);
    const int rings = 1 + RandomBelow(random, 5);
    const CascadeRule rule{.total = rings * (1 + RandomBelow(random, 6)),
                           .rings = rings,
                           .sinks = RandomBelow(random, 4),
                           .eager = RandomBelow(random, 2) == 0};
    CascadeCache cache(rule);
    SlotCache slots{.rule = rule};
    for (int t = 0; t < 120; ++t) {
      const double score = RandomBelow(random, 9);  // with ties
      cache.Insert(score);
      slots.Insert(score);
      ASSERT_EQ(cache.InCacheOrder(), slots.InCacheOrder()) << "seed " << seed << ", token " << t;
    }
  }
}

TEST(CascadeCacheTest, ExampleA) {
  const std::vector<HeadSets> expected = {
      {{}, {}},          {{1}, {}},          {{1, 2}, {}},       {{2, 3}, {1}},    {{3, 4}, {1, 2}},
      {{4, 5}, {2, 3}},  {{5, 6}, {2, 3}},   {{6, 7}, {3, 5}},   {{7, 8}, {3, 6}}, {{8, 9}, {6, 7}},
      {{9, 10}, {6, 8}}, {{10, 11}, {8, 9}}, {{11, 12}, {8, 10}}};
  EXPECT_EQ(RingsAfterEach(kRule), expected);
}

TEST(CascadeCacheTest, ExampleAEndsAtConsecutivePositions) {
  const CascadeCache cache = Filled(kRule, 13, [](int t) { return kScores[t]; });
  EXPECT_THAT(cache.Kept(), ElementsAre(0, 8, 10, 11, 12));
  // Index is cache position; the next query stands at 5.
  EXPECT_THAT(cache.InCacheOrder(), ElementsAre(0, 8, 10, 11, 12));
}

TEST(CascadeCacheTest, ExampleAsFightsHaveMargins) {
  const CascadeCache cache = Filled(kRule, 13, [](int t) { return kScores[t]; });
  ASSERT_EQ(cache.fights().size(), 4u);
  EXPECT_EQ(cache.fights()[0].step, 6);  // 4 (.3) against 3 (.9)
  EXPECT_NEAR(cache.fights()[0].margin, 2.0 / 3, 1e-12);
  EXPECT_EQ(cache.fights()[2].step, 10);  // 8 (.6) against 7 (.4)
  EXPECT_NEAR(cache.fights()[2].margin, 1.0 / 3, 1e-12);
}

TEST(CascadeCacheTest, ExampleB) {
  CascadeRule rule = kRule;
  rule.eager = false;
  const std::vector<HeadSets> steps = RingsAfterEach(rule);
  EXPECT_EQ(steps[4], (HeadSets{{3, 4}, {1}}));
  EXPECT_EQ(steps[5], (HeadSets{{4, 5}, {1, 3}}));
  EXPECT_EQ(steps[6], (HeadSets{{5, 6}, {1, 3}}));  // 4 lost
  EXPECT_EQ(steps[7], (HeadSets{{6, 7}, {3, 5}}));
  const std::vector<HeadSets> eager = RingsAfterEach(kRule);
  for (int t = 7; t < 13; ++t) EXPECT_EQ(steps[t], eager[t]) << t;
}

TEST(CascadeCacheTest, ExampleC) {
  const CascadeCache cache =
      Filled({.total = 6, .rings = 3, .sinks = 2}, 40, [](int) { return 1.0; });
  EXPECT_THAT(cache.sinks(), ElementsAre(0, 1));
  EXPECT_EQ(Rings(cache), (HeadSets{{38, 39}, {35, 37}, {31, 33}}));
  EXPECT_THAT(cache.InCacheOrder(), ElementsAre(0, 1, 31, 33, 35, 37, 38, 39));
}

TEST(CascadeCacheTest, ExampleD) {
  const CascadeCache cache =
      Filled({.total = 6, .rings = 3, .sinks = 2}, 40, [](int t) { return -t; });
  EXPECT_THAT(cache.sinks(), ElementsAre(0, 1));
  EXPECT_EQ(Rings(cache), (HeadSets{{38, 39}, {34, 36}, {28, 32}}));
}

TEST(CascadeCacheTest, ExampleE) {
  const CascadeRule rule{.total = 6, .rings = 1, .sinks = 2};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::mt19937_64 random(seed);
    const CascadeCache cache = Filled(rule, 40, [&](int) { return RandomValue(random); });
    EXPECT_THAT(cache.Kept(), ElementsAre(0, 1, 34, 35, 36, 37, 38, 39));
    EXPECT_THAT(cache.fights(), IsEmpty());
  }
}

TEST(CascadeCacheTest, PeriodsByName) {
  EXPECT_THAT(AcceptancePeriods("pow2", 4), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(AcceptancePeriods("pow3", 3), ElementsAre(1, 3, 9));
  EXPECT_THAT(AcceptancePeriods("pow4", 3), ElementsAre(1, 4, 16));
  EXPECT_THAT(AcceptancePeriods("iplus1", 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(AcceptancePeriods("1-then-2", 4), ElementsAre(1, 2, 2, 2));
  EXPECT_THAT(AcceptancePeriods("pow2-1", 4), ElementsAre(1, 1, 1, 8));
  EXPECT_THAT(AcceptancePeriods("pow2-1-4", 4), ElementsAre(1, 1, 1, 8));
  EXPECT_THAT(AcceptancePeriods("pow2-2-4", 4), ElementsAre(1, 1, 4, 8));
  EXPECT_THAT(AcceptancePeriods("pow2-3-4", 4), ElementsAre(1, 2, 4, 8));
}

TEST(CascadeCacheTest, EagerFillDropsNothingUpToItsSize) {
  for (int rings : {1, 2, 4}) {
    const CascadeRule rule{.total = 16, .rings = rings, .sinks = 3};
    CascadeCache cache(rule);
    for (int t = 0; t < 19; ++t) {
      cache.Insert(-t);
      ASSERT_EQ(cache.InCacheOrder(), Range(t + 1));
    }
    cache.Insert(0);  // x = C is accepted as well: the oldest token behind the sinks goes
    Indices expected = Range(20);
    expected.erase(expected.begin() + 3);
    EXPECT_EQ(cache.Kept(), expected);
  }
}

TEST(CascadeCacheTest, APromptWithinTheSinksIsOnlySinks) {
  const CascadeCache cache = Filled(kRule, 1, [](int) { return 1.0; });
  EXPECT_THAT(cache.sinks(), ElementsAre(0));
  EXPECT_EQ(Rings(cache), (HeadSets{{}, {}}));
}

TEST(CascadeCacheTest, RingsStayFullAndInTheOrderOfAge) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    std::mt19937_64 random(seed);
    const CascadeRule rule{.total = 32, .rings = 4, .sinks = 2, .eager = seed % 2 == 0};
    CascadeCache cache(rule);
    for (int t = 0; t < 400; ++t) {
      cache.Insert(RandomValue(random));
      const Indices order = cache.InCacheOrder();
      ASSERT_EQ(order, cache.Kept()) << "seed " << seed;
      ASSERT_EQ(std::set<int>(order.begin(), order.end()).size(), order.size());
    }
    for (const auto& ring : cache.rings()) ASSERT_EQ(ring.size(), 8u) << "seed " << seed;
  }
}

TEST(CascadeCacheTest, TheFirstRingIsTheSlidingWindow) {
  std::mt19937_64 random(16);
  const CascadeRule rule{.total = 20, .rings = 4, .sinks = 1};
  const CascadeCache cache = Filled(rule, 300, [&](int) { return RandomValue(random); });
  EXPECT_THAT(Rings(cache)[0], ElementsAre(295, 296, 297, 298, 299));
}

TEST(CascadeCacheTest, GeometryDoesNotDependOnScores) {
  std::mt19937_64 random(17);
  const CascadeRule rule{.total = 16, .rings = 4, .sinks = 1, .eager = false};
  CascadeCache one(rule);
  CascadeCache other(rule);
  for (int t = 0; t < 200; ++t) {
    one.Insert(RandomValue(random));
    other.Insert(RandomValue(random));
    for (int i = 0; i < 4; ++i) ASSERT_EQ(one.rings()[i].size(), other.rings()[i].size());
  }
}

// core-methods.md, 3(c.2): the age of the oldest token.
TEST(CascadeCacheTest, TheSpanIsASeriesOfDoublings) {
  const CascadeRule rule{.total = 64, .rings = 4, .sinks = 0};
  CascadeCache cache(rule);
  int youngest = std::numeric_limits<int>::max();  // of the oldest tokens
  int oldest = 0;
  for (int t = 0; t < 4000; ++t) {
    cache.Insert(1);
    if (t < 2000) continue;
    const int age = t - cache.InCacheOrder().front();
    youngest = std::min(youngest, age);
    oldest = std::max(oldest, age);
  }
  EXPECT_GE(youngest, 225);
  EXPECT_LE(oldest, 240);
}

TEST(CascadeCacheTest, NotANumberLosesUnlessBothAre) {
  const double nan = std::nan("");
  CascadeRule rule{.total = 2, .rings = 2, .sinks = 0, .eager = false};
  // W = 1: x = 1 offers token 0 to the empty ring 1; x = 3 offers token 2 to it.
  const auto ring_1 = [&](double held, double challenger) {
    const Row scores = {0, held, challenger, 0};
    return Rings(Filled(rule, 4, [&](int t) { return scores[t]; }))[1][0];
  };
  EXPECT_EQ(ring_1(nan, 0.5), 2);
  EXPECT_EQ(ring_1(0.5, nan), 1);
  EXPECT_EQ(ring_1(nan, nan), 2);
  EXPECT_EQ(ring_1(0.5, 0.5), 2);
}

// 3(c.2): N = 1 is StreamingLLM, here as its decode step sees it: sinks, ring and itself.
TEST(CascadeCacheTest, OneRingIsStreamingLlm) {
  const SinkWindowRule streaming{.sinks = 3, .recent = 6};
  StreamingCache expected(streaming);
  CascadeCache cache(StreamingRing(streaming.sinks, streaming.recent));
  expected.Prefill(0);
  for (int t = 0; t < 40; ++t) {
    Indices seen = cache.Kept();
    seen.push_back(t);
    expected.Append(1);
    ASSERT_EQ(seen, expected.held()) << t;
    cache.Insert(-t);
  }
}

}  // namespace
}  // namespace sluice::oracle
