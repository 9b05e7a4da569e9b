// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::client {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TopSnapshot Snapshot(int64_t second, int64_t tokens) {
  TopSnapshot snapshot;
  snapshot.time = absl::FromUnixSeconds(second);
  snapshot.status.epoch = 5;
  snapshot.status.pool = {
      .total_bytes = 100, .free_bytes = 30, .reserved_bytes = 10, .in_use_bytes = 60};
  snapshot.status.totals.token_count = tokens;
  return snapshot;
}

TEST(TopViewTest, TheBarShowsEachStateInItsShare) {
  const PoolStatus pool{.total_bytes = 100,
                        .free_bytes = 40,
                        .reserved_bytes = 10,
                        .in_use_bytes = 30,
                        .cached_bytes = 20};
  EXPECT_EQ(PoolBar(pool, 10), "[###ccr....]");
}

TEST(TopViewTest, TheBarNeverHidesAStateNorLeavesItsWidth) {
  EXPECT_EQ(PoolBar({.total_bytes = 1000, .in_use_bytes = 1, .retired_bytes = 1}, 5), "[#x...]");
  EXPECT_EQ(PoolBar({.total_bytes = 10, .in_use_bytes = 500, .cached_bytes = 3}, 5), "[#####]");
  EXPECT_EQ(PoolBar({}, 3), "[...]");
  EXPECT_EQ(PoolBar({.total_bytes = 10, .in_use_bytes = -7}, 3), "[...]");
}

TEST(TopViewTest, RatesAreOfTheTimeBetweenTwoSnapshots) {
  const TopSnapshot before = Snapshot(100, 1000);
  const auto lines = TopView(Snapshot(104, 1500), &before, 50, 200);
  EXPECT_THAT(lines[2], StartsWith("125.0 tokens/s"));
  EXPECT_THAT(lines[3], HasSubstr("60.0 % in use"));
}

TEST(TopViewTest, RatesNeedTwoSnapshotsOfOneLife) {
  TopSnapshot before = Snapshot(100, 1000);
  before.status.epoch = 4;
  EXPECT_THAT(TopView(Snapshot(104, 10), &before, 50, 200)[2], Not(HasSubstr("tokens/s")));
  EXPECT_THAT(TopView(Snapshot(104, 10), nullptr, 50, 200)[2], Not(HasSubstr("tokens/s")));
}

TEST(TopViewTest, LargestSequencesComeFirst) {
  TopSnapshot now = Snapshot(100, 0);
  now.sequences.sequences = {{.sequence_id = 11, .tenant = "", .held_bytes = 5},
                             {.sequence_id = 22, .tenant = "", .held_bytes = 9}};
  const auto lines = TopView(now, nullptr, 50, 200);
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_THAT(lines[8], HasSubstr(" 22 "));
  EXPECT_THAT(lines[9], HasSubstr(" 11 "));
}

TEST(TopViewTest, EveryScreenIsBigEnough) {
  TopSnapshot now = Snapshot(100, 0);
  now.sequences.sequences.resize(40);
  for (const auto& [rows, columns] : {std::pair(24, 80), std::pair(3, 10), std::pair(1, 1)}) {
    const auto lines = TopView(now, nullptr, rows, columns);
    EXPECT_EQ(lines.size(), static_cast<size_t>(rows));
    for (const std::string& line : lines) EXPECT_LE(line.size(), static_cast<size_t>(columns));
  }
}

}  // namespace
}  // namespace sluice::client
