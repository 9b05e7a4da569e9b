// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/dynamic_budget.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "gtest/gtest.h"

namespace sluice {
namespace {

using Slots = std::vector<int64_t>;

constexpr LayerArithmetic kBoth[] = {LayerArithmetic::kReference, LayerArithmetic::kExact};

std::vector<DynamicLayer> Uniform(size_t layers, int64_t kv_heads, int64_t slots) {
  return std::vector<DynamicLayer>(layers, {.kv_heads = kv_heads, .slots = slots});
}

Slots After(const DynamicRule& rule, const std::vector<DynamicLayer>& layers,
            const Slots& winners) {
  DynamicBudget budget(rule, layers);
  budget.Update(winners);
  return budget.kept();
}

TEST(DynamicUpdatesTest, EveryFewLayersAndAlwaysAtTheLast) {
  EXPECT_EQ(DynamicUpdates(32, 4), (Slots{4, 8, 12, 16, 20, 24, 28, 32}));
  EXPECT_EQ(DynamicUpdates(6, 4), (Slots{4, 6}));
  EXPECT_EQ(DynamicUpdates(3, 4), Slots{3});
  EXPECT_EQ(DynamicUpdates(3, 1), (Slots{1, 2, 3}));
}

TEST(DynamicBudgetTest, TheWorkedExample) {
  for (const LayerArithmetic arithmetic : kBoth) {
    DynamicBudget budget({4, 2, arithmetic}, Uniform(4, 2, 8));
    EXPECT_EQ(budget.kept(), (Slots{8, 8, 8, 8}));
    budget.Update(Slots{6, 10});
    EXPECT_EQ(budget.kept(), (Slots{6, 8, 8, 8}));
    budget.Update(Slots{4, 8, 12, 8});
    EXPECT_EQ(budget.kept(), (Slots{2, 4, 6, 4}));
  }
}

TEST(DynamicBudgetTest, StartsAtTheCeilingOrAtWhatALayerHas) {
  const std::vector<DynamicLayer> layers = {{2, 100}, {2, 9}};
  EXPECT_EQ(DynamicBudget({7, 2.5, LayerArithmetic::kExact}, layers).kept(), (Slots{17, 9}));
}

TEST(DynamicBudgetTest, ALayerNeverGetsBackWhatAnUpdateTook) {
  DynamicBudget budget({4, 10, LayerArithmetic::kExact}, Uniform(2, 1, 100));
  budget.Update(Slots{1});
  EXPECT_EQ(budget.kept(), (Slots{8, 40}));
  budget.Update(Slots{8, 0});
  EXPECT_EQ(budget.kept(), (Slots{8, 0}));
  budget.Update(Slots{0, 8});
  EXPECT_EQ(budget.kept(), (Slots{0, 0}));
}

// Figures of the authors' steps in Python: single-precision proportions and its
// floor division, which gives 5 // 0.8333 = 5.
TEST(DynamicBudgetTest, ReferenceRoundsAsTheAuthorsCode) {
  const Slots winners = {12, 1, 36, 0, 24, 11};
  EXPECT_EQ(After({7, 5, LayerArithmetic::kReference}, Uniform(6, 2, 100), winners),
            (Slots{5, 0, 17, 0, 11, 9}));
  EXPECT_EQ(After({7, 5, LayerArithmetic::kExact}, Uniform(6, 2, 100), winners),
            (Slots{6, 0, 18, 0, 12, 6}));
}

TEST(DynamicBudgetTest, ReferenceGivesTheLastLayerWhatRoundingLeaves) {
  const Slots winners = {841, 116, 104, 181, 1628, 933, 606,  1292, 2295, 2252, 507,
                         2,   614, 116, 357, 970,  166, 1400, 2409, 2672, 188,  596,
                         43,  2488, 1448, 1468, 449, 464, 2625, 1369, 120, 1};
  EXPECT_EQ(After({120, 10, LayerArithmetic::kReference}, Uniform(32, 8, 4000), winners),
            (Slots{103, 9,  9,   19, 201, 116, 71,  162, 285, 282, 58,  0,  74, 9,  42, 119,
                   19,  171, 301, 334, 19, 71,  3,   311, 181, 181, 55, 55, 330, 168, 9, 73}));
  EXPECT_EQ(After({120, 10, LayerArithmetic::kExact}, Uniform(32, 8, 4000), winners),
            (Slots{105, 14, 13,  22, 203, 116, 75,  161, 286, 281, 63,  0,  76, 14, 44, 121,
                   20,  175, 301, 334, 23, 74,  5,   311, 181, 183, 56, 58, 328, 171, 15, 11}));
}

TEST(DynamicBudgetTest, ReferenceIsExactWhereTheAuthorsCodeDividesByZero) {
  // bs is 20, a layer's share of it 20 / 32, which is int 0 in all of them.
  EXPECT_EQ(After({4, 5, LayerArithmetic::kReference}, Uniform(32, 8, 100), Slots(32, 32)),
            Slots(32, 4));
  // 4 winners of 4 layers count for none; the correction is for the last layer's update.
  DynamicBudget budget({1, 4, LayerArithmetic::kReference}, Uniform(8, 1, 100));
  budget.Update(Slots{2, 1, 1, 0});
  EXPECT_EQ(budget.kept(), (Slots{4, 2, 2, 0, 4, 4, 4, 4}));
}

TEST(DynamicBudgetTest, LayersOfDifferentHeadsShareByTheHead) {
  const std::vector<DynamicLayer> layers = {{1, 100}, {4, 100}, {1, 100}};
  // 60 slots in all: 10 to one head, 40 to four, 10 to one.
  EXPECT_EQ(After({10, 10, LayerArithmetic::kExact}, layers, Slots{10, 40, 10}),
            (Slots{10, 10, 10}));
  EXPECT_EQ(After({10, 10, LayerArithmetic::kExact}, layers, Slots{30, 20, 10}),
            (Slots{30, 5, 10}));
}

TEST(DynamicBudgetTest, RandomBudgetsAreExactWhereNothingBoundsThem) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const size_t layers = 1 + random() % 40;
    const int64_t heads = 1 + random() % 8;
    const int64_t mean = 1 + random() % 200;
    Slots winners(layers);
    const int64_t total = mean * heads * static_cast<int64_t>(layers);
    for (int64_t placed = 0; placed < total;) {
      const int64_t some = std::min<int64_t>(total - placed, 1 + random() % 64);
      winners[random() % layers] += some;
      placed += some;
    }
    for (const LayerArithmetic arithmetic : kBoth) {
      const Slots kept = After({mean, 1000, arithmetic}, Uniform(layers, heads, 1 << 20), winners);
      ASSERT_EQ(std::accumulate(kept.begin(), kept.end(), int64_t{0}),
                mean * static_cast<int64_t>(layers))
          << "round " << round;
    }
  }
}

TEST(DynamicBudgetTest, RandomUpdatesNeverExceedALayerOrTheCeiling) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const size_t count = 1 + random() % 20;
    const int64_t mean = 1 + random() % 100;
    const int64_t slots = mean + random() % 400;
    const LayerArithmetic arithmetic = kBoth[random() % 2];
    DynamicBudget budget({mean, 3, arithmetic}, Uniform(count, 2, slots));
    Slots before = budget.kept();
    for (const int64_t seen : DynamicUpdates(static_cast<int64_t>(count), 4)) {
      Slots winners(static_cast<size_t>(seen));
      for (int64_t& won : winners) won = random() % (4 * static_cast<uint64_t>(mean));
      budget.Update(winners);
      for (size_t layer = 0; layer < count; ++layer) {
        ASSERT_GE(budget.kept()[layer], 0);
        ASSERT_LE(budget.kept()[layer], std::min({before[layer], slots, 3 * mean}));
      }
      before = budget.kept();
    }
  }
}

}  // namespace
}  // namespace sluice
