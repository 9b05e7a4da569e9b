// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/pooling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sluice {
namespace {

std::vector<float> Pooled(const std::vector<float>& scores, WindowPool pool, int32_t width) {
  std::vector<float> pooled(scores.size());
  const auto slots = static_cast<int64_t>(scores.size());
  PoolScores(scores.data(), slots, pool, width, 0, slots, pooled.data());
  return pooled;
}

// The slots of the `k` largest scores, the first of equal ones first.
std::vector<int> Top(const std::vector<float>& scores, size_t k) {
  std::vector<int> slots(scores.size());
  for (size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<int>(i);
  std::stable_sort(slots.begin(), slots.end(), [&](int a, int b) { return scores[a] > scores[b]; });
  slots.resize(k);
  std::sort(slots.begin(), slots.end());
  return slots;
}

// SnapKV's scores of a prefix of six tokens, of which three stay.
TEST(PoolingTest, PrefixScoresOfAWorkedExample) {
  const std::vector<float> scores = {0.30f, 0.02f, 0.02f, 0.40f, 0.02f, 0.04f};
  const std::vector<float> average = Pooled(scores, WindowPool::kAverage, 3);
  const float expected[] = {0.32f / 3, 0.34f / 3, 0.44f / 3, 0.44f / 3, 0.46f / 3, 0.02f};
  for (size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(average[i], expected[i], 1e-7f) << i;
  EXPECT_EQ(Top(average, 3), (std::vector<int>{2, 3, 4}));
  const std::vector<float> largest = Pooled(scores, WindowPool::kMax, 3);
  EXPECT_EQ(largest, (std::vector<float>{0.30f, 0.30f, 0.40f, 0.40f, 0.40f, 0.04f}));
  EXPECT_EQ(Top(largest, 3), (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(Top(scores, 3), (std::vector<int>{0, 3, 5}));
}

TEST(PoolingTest, EdgesDivideByTheWholeWidth) {
  const std::vector<float> scores = {0, 0, 6, 0, 0, 0, 3};
  EXPECT_EQ(Pooled(scores, WindowPool::kMax, 3), (std::vector<float>{0, 6, 6, 6, 0, 3, 3}));
  EXPECT_EQ(Pooled(scores, WindowPool::kAverage, 3), (std::vector<float>{0, 2, 2, 2, 0, 1, 1}));
  EXPECT_EQ(Pooled({9}, WindowPool::kAverage, 3), (std::vector<float>{3}));
}

TEST(PoolingTest, AWidthOfOneChangesNothing) {
  const std::vector<float> scores = {1, 5, 2, 0.5f};
  EXPECT_EQ(Pooled(scores, WindowPool::kAverage, 1), scores);
  EXPECT_EQ(Pooled(scores, WindowPool::kMax, 1), scores);
}

TEST(PoolingTest, AWidthMayBeLargerThanTheRow) {
  const std::vector<float> scores = {1, 5, 2, 4};
  EXPECT_EQ(Pooled(scores, WindowPool::kAverage, 101), std::vector<float>(4, 12.0f / 101));
  EXPECT_EQ(Pooled(scores, WindowPool::kMax, 2147483647), std::vector<float>(4, 5));
}

TEST(PoolingTest, PartsOfARowGiveWhatTheWholeGives) {
  std::vector<float> scores;
  for (int i = 0; i < 97; ++i) scores.push_back(static_cast<float>(i * 7919 % 101) / 13.0f);
  for (const WindowPool pool : {WindowPool::kAverage, WindowPool::kMax}) {
    for (const int32_t width : {3, 7, 63, 255}) {
      const std::vector<float> whole = Pooled(scores, pool, width);
      for (const int64_t first : {0, 1, 40, 90}) {
        for (const int64_t last : {first + 1, first + 6, int64_t{97}}) {
          std::vector<float> part(static_cast<size_t>(last - first));
          PoolScores(scores.data(), 97, pool, width, first, last, part.data());
          EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first))
              << width << ": " << first << " .. " << last;
        }
      }
    }
  }
}

}  // namespace
}  // namespace sluice
