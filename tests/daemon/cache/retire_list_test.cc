// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/retire_list.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(RetireListTest, ReleasesOnlyWhatBothLanesHavePassed) {
  RetireList<int> list;
  list.Push(7, {.foreground = 3, .background = 5});
  EXPECT_EQ(list.Pop({.foreground = 3, .background = 4}), std::nullopt);
  EXPECT_EQ(list.Pop({.foreground = 2, .background = 9}), std::nullopt);
  EXPECT_EQ(list.Pop({.foreground = 3, .background = 5}), 7);
  EXPECT_TRUE(list.empty());
}

TEST(RetireListTest, ReleasesTheOldestFirst) {
  RetireList<int> list;
  list.Push(1, {.foreground = 1, .background = 0});
  list.Push(2, {.foreground = 1, .background = 0});
  list.Push(3, {.foreground = 2, .background = 0});
  const LaneTickets completed{.foreground = 1, .background = 0};
  EXPECT_EQ(list.Pop(completed), 1);
  EXPECT_EQ(list.Pop(completed), 2);
  EXPECT_FALSE(list.Ready(completed));
  EXPECT_EQ(list.size(), 1u);
}

TEST(RetireListDeathTest, StopsWhenTicketsGoBack) {
  RetireList<int> list;
  list.Push(1, {.foreground = 2, .background = 2});
  EXPECT_DEATH(list.Push(2, {.foreground = 3, .background = 1}), "went back");
}

}  // namespace
}  // namespace sluice
