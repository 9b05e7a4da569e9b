// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/free_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace sluice {
namespace {

TEST(FreeSetTest, FindsTheSmallestMemberAcrossWords) {
  FreeSet set(100000);
  EXPECT_EQ(set.Smallest(), std::nullopt);
  set.Insert(99999);
  set.Insert(4097);
  EXPECT_EQ(set.Smallest(), 4097);
  set.Erase(4097);
  EXPECT_EQ(set.Smallest(), 99999);
  EXPECT_TRUE(set.Contains(99999));
  EXPECT_FALSE(set.Contains(4097));
}

TEST(FreeSetTest, AgreesWithAPlainSetOverRandomCalls) {
  std::mt19937_64 random(7);
  for (const int64_t size : {1, 63, 64, 65, 4096, 4097, 300000}) {
    FreeSet set(size);
    std::set<int64_t> model;
    for (int i = 0; i < 2000; ++i) {
      const auto number = static_cast<int64_t>(random() % static_cast<uint64_t>(size));
      if (model.contains(number)) {
        model.erase(number);
        set.Erase(number);
      } else {
        model.insert(number);
        set.Insert(number);
      }
      ASSERT_EQ(set.Contains(number), model.contains(number));
      ASSERT_EQ(set.Smallest(), model.empty() ? std::nullopt : std::optional(*model.begin()));
    }
  }
}

}  // namespace
}  // namespace sluice
