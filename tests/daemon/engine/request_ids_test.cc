// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/request_ids.h"

#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr auto kCreate = CreatingCall::kCreate;

TEST(RequestIdsTest, RemembersByTenantCallAndId) {
  RequestIds ids(4);
  ids.Add(1, kCreate, "a", {7, {10, 11}});
  ASSERT_NE(ids.Find(1, kCreate, "a"), nullptr);
  EXPECT_EQ(ids.Find(1, kCreate, "a")->made, (std::vector<uint64_t>{10, 11}));
  EXPECT_EQ(ids.Find(1, kCreate, "a")->parameters, 7u);
  EXPECT_EQ(ids.Find(2, kCreate, "a"), nullptr);
  EXPECT_EQ(ids.Find(1, CreatingCall::kFork, "a"), nullptr);
  EXPECT_EQ(ids.Find(1, kCreate, "b"), nullptr);
}

TEST(RequestIdsTest, AnEmptyIdIsNone) {
  RequestIds ids(4);
  ids.Add(1, kCreate, "", {7, {10}});
  EXPECT_EQ(ids.Find(1, kCreate, ""), nullptr);
}

TEST(RequestIdsTest, ForgetsTheOldest) {
  RequestIds ids(2);
  for (const char* id : {"a", "b", "c"}) ids.Add(1, kCreate, id, {7, {10}});
  EXPECT_EQ(ids.Find(1, kCreate, "a"), nullptr);
  EXPECT_NE(ids.Find(1, kCreate, "b"), nullptr);
  EXPECT_NE(ids.Find(1, kCreate, "c"), nullptr);
}

}  // namespace
}  // namespace sluice
