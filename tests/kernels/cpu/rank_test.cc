// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/core/number.h"
#include "kernels/cpu/simd_target.h"
#include "kernels/cpu/worker_pool.h"

namespace sluice::cpu {
namespace {

class RankTest : public testing::TestWithParam<SimdTarget> {
 protected:
  RankTest() { UseSimdTarget(GetParam()); }
  ~RankTest() override { UseSimdTarget(0); }

  // Few different values, so that ties are common, with the odd ones among them.
  std::vector<float> AnyScores(int64_t count, int values) {
    const float odd[] = {0.0f, -0.0f, std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> scores(static_cast<size_t>((count + 31) / 32 * 32), 1e30f);
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<int>(random_() % static_cast<unsigned>(values));
      scores[i] = value < 5 ? odd[value] : static_cast<float>(value - values / 2) * 0.37f;
    }
    return scores;
  }

  // Marks the k best of a range one by one.
  static std::vector<uint32_t> NaiveMask(const std::vector<float>& scores, const RowRange& range,
                                         int64_t k) {
    std::vector<int64_t> slots(static_cast<size_t>(range.size()));
    std::iota(slots.begin(), slots.end(), range.begin);
    std::stable_sort(slots.begin(), slots.end(), [&](int64_t a, int64_t b) {
      return OrderedKey(scores[a]) > OrderedKey(scores[b]);
    });
    std::vector<uint32_t> mask(scores.size() / 32);
    for (int64_t i = 0; i < k; ++i) mask[slots[i] / 32] |= 1u << (slots[i] % 32);
    return mask;
  }

  std::vector<uint32_t> Mask(const std::vector<float>& scores, const RowRange& range, int64_t k) {
    WorkerScratch scratch{0, room_.get(), kWorkerScratchBytes};
    std::vector<uint32_t> mask(scores.size() / 32);
    const Threshold threshold = FindThreshold(scores.data(), range, k, scratch);
    EXPECT_EQ(MarkAbove(scores.data(), range, threshold, mask.data()), 0);
    return mask;
  }

  std::mt19937 random_{7};

 private:
  const std::unique_ptr<std::byte, decltype(&std::free)> room_{
      static_cast<std::byte*>(std::aligned_alloc(64, kWorkerScratchBytes)), &std::free};
};

TEST_P(RankTest, MarksWhatAStableSortPutsFirstForEverySmallCount) {
  for (int64_t count = 1; count <= 70; ++count) {
    const std::vector<float> scores = AnyScores(count, 12);
    for (int64_t begin = 0; begin < std::min<int64_t>(count, 4); ++begin) {
      const RowRange range{begin, count};
      for (int64_t k = 1; k <= range.size(); k += 1 + k / 5) {
        ASSERT_EQ(Mask(scores, range, k), NaiveMask(scores, range, k)) << count << " " << k;
      }
    }
  }
}

TEST_P(RankTest, MarksWhatAStableSortPutsFirstInLongRanges) {
  for (const int64_t count : {1023, 1024, 1025, 4097, 16383, 16385, 40003}) {
    for (const int values : {1, 6, 300, 1 << 20}) {
      const std::vector<float> scores = AnyScores(count, values);
      const RowRange range{3, count};
      for (const int64_t k : {int64_t{1}, count / 4, count / 2, count - 4, count - 3}) {
        ASSERT_EQ(Mask(scores, range, k), NaiveMask(scores, range, k)) << count << " " << k;
      }
    }
  }
}

TEST_P(RankTest, FindsTheThresholdWhereASampleMisleads) {
  std::vector<float> scores(32768, 1.0f);
  for (size_t i = 1; i < scores.size(); i += 2) scores[i] = 2.0f;  // samples have even places
  const RowRange range{0, 32768};
  for (const int64_t k : {1000, 16384, 16385, 30000}) {
    EXPECT_EQ(Mask(scores, range, k), NaiveMask(scores, range, k)) << k;
  }
}

TEST_P(RankTest, CountsTheDigitsOfKeysWithAPrefix) {
  const std::vector<float> scores = AnyScores(1001, 400);
  const RowRange range{5, 1001};
  const uint32_t prefix = OrderedKey(scores[17]);
  for (int32_t digit = 0; digit < kTileDigits; ++digit) {
    std::vector<uint32_t> expected(kTileBins);
    const int shift = 24 - 8 * digit;
    for (int64_t i = range.begin; i < range.end; ++i) {
      const uint64_t key = OrderedKey(scores[i]);
      if (key >> (shift + 8) == uint64_t{prefix} >> (shift + 8)) ++expected[key >> shift & 0xff];
    }
    std::vector<uint32_t> histogram(kTileBins);
    CountDigits(scores.data(), range, prefix, digit, histogram.data());
    EXPECT_EQ(histogram, expected) << digit;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, RankTest, testing::ValuesIn(SimdTargets()),
                         [](const testing::TestParamInfo<SimdTarget>& info) {
                           return std::string(SimdTargetName(info.param));
                         });

}  // namespace
}  // namespace sluice::cpu
