// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pool_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace sluice {
namespace {

constexpr int64_t kMost = 1 << 20;

TEST(FewSizesTest, AreNoSmallerAndLittleLarger) {
  for (int64_t bytes = 1; bytes <= kMost; bytes += 1 + bytes / 50) {
    const int64_t rounded = RoundUpToFewSizes(bytes, kMost);
    EXPECT_GE(rounded, bytes);
    EXPECT_LE(rounded, kMost);
    EXPECT_LE(rounded, std::max<int64_t>(bytes + bytes / 4, bytes + 127));
    EXPECT_EQ(rounded % 128, 0);
  }
}

TEST(FewSizesTest, AreFew) {
  std::set<int64_t> sizes;
  for (int64_t bytes = 1; bytes <= kMost; bytes += 7) {
    sizes.insert(RoundUpToFewSizes(bytes, kMost));
  }
  EXPECT_LE(sizes.size(), 50u);
}

}  // namespace
}  // namespace sluice
