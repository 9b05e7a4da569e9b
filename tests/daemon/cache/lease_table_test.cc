// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/lease_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LeaseTableTest, ExpiresAtItsDeadlineEarliestFirst) {
  LeaseTable leases;
  leases.Set(1, absl::Seconds(20));
  leases.Set(2, absl::Seconds(10));
  leases.Set(3, absl::Seconds(30));
  EXPECT_THAT(leases.Expire(absl::Seconds(9), 10), IsEmpty());
  EXPECT_THAT(leases.Expire(absl::Seconds(20), 10), ElementsAre(2, 1));
  EXPECT_EQ(leases.size(), 1);
  EXPECT_EQ(leases.NextDeadline(), absl::Seconds(30));
}

TEST(LeaseTableTest, ARenewedLeaseLivesOn) {
  LeaseTable leases;
  leases.Set(1, absl::Seconds(10));
  leases.Set(1, absl::Seconds(50));
  EXPECT_THAT(leases.Expire(absl::Seconds(49), 10), IsEmpty());
  EXPECT_THAT(leases.Expire(absl::Seconds(50), 10), ElementsAre(1));
}

TEST(LeaseTableTest, AShortenedLeaseExpiresEarlier) {
  LeaseTable leases;
  leases.Set(1, absl::Seconds(50));
  leases.Set(1, absl::Seconds(10));
  EXPECT_THAT(leases.Expire(absl::Seconds(10), 10), ElementsAre(1));
  EXPECT_THAT(leases.Expire(absl::Seconds(60), 10), IsEmpty());
}

TEST(LeaseTableTest, ARemovedLeaseDoesNotExpire) {
  LeaseTable leases;
  leases.Set(1, absl::Seconds(10));
  leases.Remove(1);
  leases.Remove(2);
  EXPECT_EQ(leases.size(), 0);
  EXPECT_THAT(leases.Expire(absl::Seconds(10), 10), IsEmpty());
}

TEST(LeaseTableTest, LooksAtNoMoreThanASlice) {
  LeaseTable leases;
  for (uint64_t key = 0; key < 10; ++key) leases.Set(key, absl::Seconds(1));
  EXPECT_THAT(leases.Expire(absl::Seconds(5), 4), ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(leases.Expire(absl::Seconds(5), 100).size(), 6u);
}

TEST(LeaseTableTest, AgreesWithAPlainMapOverRandomCalls) {
  std::mt19937_64 random(20240607);
  LeaseTable leases;
  std::map<uint64_t, absl::Duration> model;
  absl::Duration now;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t key = random() % 40;
    if (random() % 5 == 0) {
      leases.Remove(key);
      model.erase(key);
    } else {
      model[key] = now + absl::Seconds(static_cast<int64_t>(random() % 50));
      leases.Set(key, model[key]);
    }
    now += absl::Seconds(static_cast<int64_t>(random() % 3));
    for (const uint64_t expired : leases.Expire(now, 1000)) {
      ASSERT_LE(model.at(expired), now) << "call " << i;
      model.erase(expired);
    }
    for (const auto& [live, deadline] : model) ASSERT_GT(deadline, now) << "call " << i;
  }
}

}  // namespace
}  // namespace sluice
