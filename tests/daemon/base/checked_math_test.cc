// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/checked_math.h"

#include <limits>

#include "gtest/gtest.h"

namespace sluice {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(CheckedProductTest, MultipliesWhatFits) {
  EXPECT_EQ(CheckedProduct(int64_t{2}, int64_t{3}, int64_t{7}), 42);
  EXPECT_EQ(CheckedProduct(kMax, int64_t{1}), kMax);
}

TEST(CheckedProductTest, RefusesOverflow) {
  EXPECT_EQ(CheckedProduct(kMax, int64_t{2}), std::nullopt);
  EXPECT_EQ(CheckedProduct(int64_t{1} << 32, int64_t{1} << 31), std::nullopt);
}

TEST(CheckedProductTest, RefusesNegativeFactors) {
  EXPECT_EQ(CheckedProduct(int64_t{-1}, int64_t{-1}), std::nullopt);
  EXPECT_EQ(CheckedProduct(int64_t{0}, int64_t{-5}), std::nullopt);
}

TEST(CheckedProductTest, ZeroWinsOverOverflow) {
  EXPECT_EQ(CheckedProduct(kMax, kMax, int64_t{0}), 0);
}

TEST(CheckedSumTest, AddsWhatFitsAndRefusesTheRest) {
  EXPECT_EQ(CheckedSum(int64_t{2}, int64_t{3}), 5);
  EXPECT_EQ(CheckedSum(kMax, int64_t{1}), std::nullopt);
  EXPECT_EQ(CheckedSum(int64_t{3}, int64_t{-1}), std::nullopt);
}

TEST(CeilDivideTest, RoundsUpWithoutOverflow) {
  EXPECT_EQ(CeilDivide(0, 16), 0);
  EXPECT_EQ(CeilDivide(16, 16), 1);
  EXPECT_EQ(CeilDivide(17, 16), 2);
  EXPECT_EQ(CeilDivide(kMax, 2), kMax / 2 + 1);
}

}  // namespace
}  // namespace sluice
