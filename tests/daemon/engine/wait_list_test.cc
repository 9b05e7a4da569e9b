// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/wait_list.h"

#include <memory>

#include "gtest/gtest.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

constexpr absl::Duration kNow = absl::ZeroDuration();

// A waiter whose outcome a test sets, and what it was told.
struct Waiter {
  Outcome outcome = Outcome::kWaits;
  WaitList::Attempt last;
  int64_t tries = 0;
};

std::shared_ptr<Waiter> AddTo(WaitList& list, int32_t tenant, absl::Duration deadline,
                              Outcome outcome) {
  auto waiter = std::make_shared<Waiter>();
  waiter->outcome = outcome;
  list.Add(tenant, deadline, kNow, [waiter](const WaitList::Attempt& attempt) {
    waiter->last = attempt;
    ++waiter->tries;
    return waiter->outcome;
  });
  return waiter;
}

TEST(WaitListTest, WhatIsAnsweredAtOnceIsForgotten) {
  WaitList list(1, 100);
  const auto waiter = AddTo(list, 0, kNow, Outcome::kAnswered);
  EXPECT_EQ(waiter->tries, 1);
  EXPECT_TRUE(waiter->last.expired);
  EXPECT_EQ(list.size(), 0);
}

TEST(WaitListTest, TriesAgainOnlyAfterAChange) {
  WaitList list(1, 100);
  const auto waiter = AddTo(list, 0, absl::Seconds(5), Outcome::kWaits);
  EXPECT_FALSE(list.Pump(kNow));
  EXPECT_EQ(waiter->tries, 1);
  list.Changed();
  waiter->outcome = Outcome::kAnswered;
  EXPECT_TRUE(list.Pump(kNow));
  EXPECT_EQ(list.size(), 0);
}

TEST(WaitListTest, ADeadlineIsToldOnceAndNotWaitedForAgain) {
  WaitList list(1, 100);
  const auto waiter = AddTo(list, 0, absl::Seconds(5), Outcome::kWaits);
  EXPECT_EQ(list.NextDeadline(), absl::Seconds(5));
  list.Pump(absl::Seconds(5));
  EXPECT_TRUE(waiter->last.expired);
  EXPECT_EQ(list.NextDeadline(), absl::InfiniteDuration());
  list.Pump(absl::Seconds(6));
  EXPECT_EQ(waiter->tries, 2);
}

TEST(WaitListTest, TheEndOfACallsTimeIsToldOnceToo) {
  WaitList list(1, 100);
  WaitList::Attempt last;
  const auto attempt = [&last](const WaitList::Attempt& now) {
    last = now;
    return Outcome::kWaits;
  };
  list.Add(0, absl::Seconds(5), kNow, attempt, /*limit=*/absl::Seconds(3));
  EXPECT_EQ(list.NextDeadline(), absl::Seconds(3));
  list.Pump(absl::Seconds(3));
  EXPECT_TRUE(last.out_of_time);
  EXPECT_FALSE(last.expired);
  EXPECT_EQ(list.NextDeadline(), absl::Seconds(5));
}

TEST(WaitListTest, MemoryIsGivenInOrderWithinATenantOnly) {
  WaitList list(2, 100);
  const auto first = AddTo(list, 0, absl::InfiniteDuration(), Outcome::kWaitsForMemory);
  const auto second = AddTo(list, 0, absl::InfiniteDuration(), Outcome::kWaitsForMemory);
  const auto other = AddTo(list, 1, absl::InfiniteDuration(), Outcome::kWaitsForMemory);
  EXPECT_FALSE(first->last.memory_is_taken);
  EXPECT_TRUE(second->last.memory_is_taken);
  EXPECT_FALSE(other->last.memory_is_taken);
  first->outcome = Outcome::kAnswered;
  list.Changed();
  list.Pump(kNow);
  EXPECT_FALSE(second->last.memory_is_taken);
}

TEST(WaitListTest, WhatComesWhereAsManyWaitAsMayIsAnsweredNow) {
  WaitList list(2, 1);
  list.Add(0, absl::Seconds(9), kNow, [](const WaitList::Attempt&) { return Outcome::kWaits; });
  std::vector<bool> crowded;
  const auto try_it = [&](const WaitList::Attempt& attempt) {
    crowded.push_back(attempt.crowded);
    return attempt.crowded ? Outcome::kAnswered : Outcome::kWaits;
  };
  list.Add(0, absl::Seconds(9), kNow, try_it);
  EXPECT_EQ(crowded, std::vector<bool>({false, true}));
  EXPECT_EQ(list.size(), 1);
  list.Add(1, absl::Seconds(9), kNow, try_it);  // another tenant's
  EXPECT_EQ(list.size(), 2);
}

TEST(WaitListTest, AnAttemptMayAddAnother) {
  WaitList list(1, 100);
  int inner_tries = 0;
  bool added = false;
  list.Add(0, absl::Seconds(1), kNow, [&](const WaitList::Attempt& attempt) {
    if (!attempt.expired) return Outcome::kWaits;
    list.Add(0, absl::Seconds(9), absl::Seconds(1), [&](const WaitList::Attempt&) {
      ++inner_tries;
      return Outcome::kWaits;
    });
    added = true;
    return Outcome::kAnswered;
  });
  EXPECT_TRUE(list.Pump(absl::Seconds(1)));
  EXPECT_TRUE(added);
  EXPECT_EQ(inner_tries, 1);
  EXPECT_EQ(list.size(), 1);
}

}  // namespace
}  // namespace sluice
