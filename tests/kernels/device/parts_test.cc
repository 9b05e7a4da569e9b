// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/testing/random.h"

namespace sluice::device {
namespace {

TEST(PartsTest, ItemsFillTheBudgetAndOneIsAlwaysTaken) {
  const std::vector<int64_t> bytes = {3, 4, 5, 100, 1};
  const auto bytes_of = [&](int64_t i) { return bytes[static_cast<size_t>(i)]; };
  EXPECT_EQ(ItemsWithin(0, 5, 11, bytes_of), 2);
  EXPECT_EQ(ItemsWithin(0, 5, 12, bytes_of), 3);
  EXPECT_EQ(ItemsWithin(3, 5, 12, bytes_of), 1);
  EXPECT_EQ(ItemsWithin(0, 5, -7, bytes_of), 1);
  EXPECT_EQ(ItemsWithin(0, 5, 1000, bytes_of), 5);
}

TEST(PartsTest, WhatIsNotThereStaysSo) {
  float floats[4];
  EXPECT_EQ(From(floats, 3), floats + 3);
  EXPECT_EQ(From(static_cast<float*>(nullptr), 3), nullptr);
  EXPECT_EQ(From(static_cast<void*>(floats), 4), reinterpret_cast<std::byte*>(floats + 1));
  EXPECT_EQ(From(static_cast<const void*>(nullptr), 4), nullptr);
}

// Entries of so many tokens each.
std::vector<ViewEntry> EntriesOf(const std::vector<int32_t>& tokens) {
  std::vector<ViewEntry> entries;
  int64_t first = 0;
  for (const int32_t count : tokens) {
    entries.emplace_back();
    entries.back().first_token = first;
    entries.back().token_count = count;
    first += count;
  }
  return entries;
}

std::vector<TokenPart> Cut(const std::vector<int32_t>& tokens, int64_t first, int64_t count,
                           const TokenCut& cut) {
  const std::vector<ViewEntry> entries = EntriesOf(tokens);
  return CutTokens({entries.data(), static_cast<int32_t>(entries.size()), 0}, first, count, cut);
}

TEST(PartsTest, EntriesGoTogetherWhileTheyFit) {
  const TokenCut cut{80, 10, 5, 1};
  EXPECT_EQ(Cut({1, 2, 3, 1}, 0, 7, cut),
            (std::vector<TokenPart>{{0, 6, 0, 3}, {6, 1, 3, 1}}));
}

TEST(PartsTest, LongEntriesAreCutBehindMultiples) {
  const TokenCut cut{99, 10, 5, 4};
  EXPECT_EQ(Cut({1, 19, 2}, 0, 22, cut),
            (std::vector<TokenPart>{{0, 1, 0, 1}, {1, 8, 1, 1}, {9, 8, 1, 1}, {17, 5, 1, 2}}));
}

TEST(PartsTest, EntriesThatAreNotCutMayBeLargerThanThePart) {
  const TokenCut cut{100, 10, 5, 0};
  EXPECT_EQ(Cut({1, 19, 2}, 0, 22, cut),
            (std::vector<TokenPart>{{0, 1, 0, 1}, {1, 19, 1, 1}, {20, 2, 2, 1}}));
}

TEST(PartsTest, TokensOfNoEntryAreInNoPart) {
  const TokenCut cut{100, 10, 5, 1};
  EXPECT_EQ(Cut({4, 0, 3}, 4, 0, cut), std::vector<TokenPart>());
  EXPECT_EQ(Cut({4, 0, 3}, 7, 5, cut), std::vector<TokenPart>());
  EXPECT_EQ(Cut({}, 0, 5, cut), std::vector<TokenPart>());
}

// Expects a part of the tokens [first, end) to be within the budget unless it could not be
// smaller, and to end where it may.
void ExpectFits(const std::vector<ViewEntry>& entries, const TokenPart& part, const TokenCut& cut,
                int64_t first, int64_t end) {
  int64_t bytes = 0;
  int64_t least_tokens = 0;
  const int64_t part_end = part.first_token + part.token_count;
  for (int32_t e = part.first_entry; e < part.first_entry + part.entry_count; ++e) {
    const ViewEntry& entry = entries[static_cast<size_t>(e)];
    const int64_t entry_end = std::min(end, entry.first_token + entry.token_count);
    const int64_t of_part =
        std::min(part_end, entry_end) - std::max(part.first_token, entry.first_token);
    if (of_part > 0) bytes += cut.entry_bytes + of_part * cut.token_bytes;
    least_tokens = cut.multiple == 0 ? of_part : std::min(of_part, cut.multiple);
    if (part_end >= entry_end) continue;
    const int64_t cut_behind = part_end - std::max(first, entry.first_token);
    EXPECT_TRUE(cut.multiple > 0 && cut_behind % cut.multiple == 0);
  }
  const bool is_least = part.entry_count == 1 && part.token_count == least_tokens;
  EXPECT_TRUE(bytes <= cut.budget_bytes || is_least);
}

TEST(PartsTest, EveryTokenIsInOnePartWithItsEntry) {
  constexpr int64_t kSeed = 41;
  SCOPED_TRACE(kSeed);
  kernels_testing::Random random({kSeed});
  for (int i = 0; i < 2000; ++i) {
    std::vector<int32_t> tokens;
    int64_t total = 0;
    for (int64_t n = random.Below(8); n >= 0; --n) {
      tokens.push_back(static_cast<int32_t>(random.Below(40)));
      total += tokens.back();
    }
    const std::vector<ViewEntry> entries = EntriesOf(tokens);
    const int64_t first = random.Below(total + 1);
    const int64_t count = random.Below(total - first + 1);
    const TokenCut cut{random.Below(300), random.Below(20), random.Below(30), random.Below(6)};
    const auto parts = CutTokens({entries.data(), static_cast<int32_t>(entries.size()), 0},
                                 first, count, cut);
    int64_t next = first;
    for (const TokenPart& part : parts) {
      ASSERT_EQ(part.first_token, next);
      ASSERT_GT(part.token_count, 0);
      next += part.token_count;
      ExpectFits(entries, part, cut, first, first + count);
    }
    ASSERT_EQ(next, first + count);
  }
}

}  // namespace
}  // namespace sluice::device
