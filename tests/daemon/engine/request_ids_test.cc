// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/request_ids.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

TEST(RequestIdsTest, RemembersByScopeAndId) {
  RequestIds ids(4);
  ids.Add(1, "a", {10, 11});
  ASSERT_NE(ids.Find(1, "a"), nullptr);
  EXPECT_EQ(*ids.Find(1, "a"), (std::vector<uint64_t>{10, 11}));
  EXPECT_EQ(ids.Find(2, "a"), nullptr);
  EXPECT_EQ(ids.Find(1, "b"), nullptr);
}

TEST(RequestIdsTest, AnEmptyIdIsNone) {
  RequestIds ids(4);
  ids.Add(1, "", {10});
  EXPECT_EQ(ids.Find(1, ""), nullptr);
}

TEST(RequestIdsTest, ForgetsTheOldest) {
  RequestIds ids(2);
  for (const char* id : {"a", "b", "c"}) ids.Add(1, id, {10});
  EXPECT_EQ(ids.Find(1, "a"), nullptr);
  EXPECT_NE(ids.Find(1, "b"), nullptr);
  EXPECT_NE(ids.Find(1, "c"), nullptr);
}

}  // namespace
}  // namespace sluice
