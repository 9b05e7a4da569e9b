// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/adaptive_heads_budget.h"

#include <numeric>
#include <random>

#include "gtest/gtest.h"

namespace sluice {
namespace {

using Slots = std::vector<int64_t>;

int64_t Sum(const Slots& slots) {
  return std::accumulate(slots.begin(), slots.end(), int64_t{0});
}

TEST(ShareByWinnersTest, TheWorkedExample) {
  EXPECT_EQ(ShareByWinners(Slots{2, 8}, Slots{8, 8}, 5, 0.2), (Slots{3, 7}));
}

TEST(ShareByWinnersTest, WithoutAFloorTheWinnersAreTheBudget) {
  EXPECT_EQ(ShareByWinners(Slots{0, 12, 3}, Slots{20, 20, 20}, 5, 0), (Slots{0, 12, 3}));
}

TEST(ShareByWinnersTest, AFloorOfAllIsTheFlatBudget) {
  EXPECT_EQ(ShareByWinners(Slots{0, 12, 3}, Slots{20, 20, 20}, 5, 1), (Slots{5, 5, 5}));
}

TEST(ShareByWinnersTest, TiesGoToTheLowerHead) {
  // The floor is int(2.5) = 2: quotas 4.5, 4.5, 4.5, 2.
  EXPECT_EQ(ShareByWinners(Slots{5, 5, 5, 0}, Slots(4, 20), 5, 0.5), (Slots{6, 6, 5, 3}));
  // Quotas 2.6, 6.6, 5.8: the first two end alike, though not in doubles.
  EXPECT_EQ(ShareByWinners(Slots{2, 7, 6}, Slots(3, 20), 5, 0.2), (Slots{3, 6, 6}));
}

TEST(ShareByWinnersTest, WhatAHeadLacksGoesToTheOthers) {
  // Quotas 4, 16, 10.
  EXPECT_EQ(ShareByWinners(Slots{2, 18, 10}, Slots{2, 40, 40}, 10, 0.2), (Slots{2, 17, 11}));
  EXPECT_EQ(ShareByWinners(Slots{2, 3}, Slots{2, 3}, 10, 0.5), (Slots{2, 3}));
}

TEST(ShareByWinnersTest, RandomSharesAreExactAndWithinTheHead) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 5000; ++round) {
    const size_t heads = 1 + random() % 16;
    const int64_t mean = 1 + random() % 100;
    const double alpha = static_cast<double>(random() % 101) / 100;
    Slots slots(heads);
    for (int64_t& count : slots) count = random() % 300;
    Slots winners(heads);
    const int64_t total = std::min(static_cast<int64_t>(heads) * mean, Sum(slots));
    for (int64_t placed = 0; placed < total;) {
      const size_t head = random() % heads;
      if (winners[head] == slots[head]) continue;
      ++winners[head];
      ++placed;
    }
    const Slots kept = ShareByWinners(winners, slots, mean, alpha);
    ASSERT_EQ(Sum(kept), total) << "round " << round;
    const auto floor_slots = static_cast<int64_t>(alpha * static_cast<double>(mean));
    for (size_t head = 0; head < heads; ++head) {
      ASSERT_LE(kept[head], slots[head]) << "round " << round;
      ASSERT_GE(kept[head], std::min(floor_slots, slots[head])) << "round " << round;
    }
  }
}

TEST(SafeguardSlotsTest, IsAtLeastOneUnlessOff) {
  EXPECT_EQ(SafeguardSlots(128, 0.2), 25);
  EXPECT_EQ(SafeguardSlots(4, 0.2), 1);
  EXPECT_EQ(SafeguardSlots(4, 0), 0);
}

}  // namespace
}  // namespace sluice
