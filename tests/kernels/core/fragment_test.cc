// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/fragment.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace sluice {
namespace {

// The places of all lanes' elements, [words * 2] a lane.
template <class PlaceOf>
std::set<std::pair<int32_t, int32_t>> AllPlaces(int32_t words, const PlaceOf& place_of) {
  std::set<std::pair<int32_t, int32_t>> places;
  for (int32_t lane = 0; lane < 32; ++lane) {
    for (int32_t word = 0; word < words; ++word) {
      for (int32_t half = 0; half < 2; ++half) {
        const FragmentPlace place = place_of(lane, word, half);
        EXPECT_TRUE(places.emplace(place.row, place.column).second);
      }
    }
  }
  return places;
}

TEST(FragmentTest, EachElementIsHeldOnce) {
  const auto a = AllPlaces(4, PlaceInA);
  EXPECT_EQ(a.size(), kFragmentRows * kFragmentDepth);
  EXPECT_EQ(*a.rbegin(), std::make_pair(15, 15));
  const auto b = AllPlaces(2, PlaceInB);
  EXPECT_EQ(b.size(), kFragmentDepth * kFragmentColumns);
  EXPECT_EQ(*b.rbegin(), std::make_pair(15, 7));
  const auto sums = AllPlaces(2, [](int32_t lane, int32_t word, int32_t half) {
    return PlaceInSums(lane, 2 * word + half);
  });
  EXPECT_EQ(sums.size(), kFragmentRows * kFragmentColumns);
  EXPECT_EQ(*sums.rbegin(), std::make_pair(15, 7));
}

TEST(FragmentTest, PlacesAreThoseOfThePtxManual) {
  const auto is = [](FragmentPlace place, int32_t row, int32_t column) {
    return place.row == row && place.column == column;
  };
  // Lane 13: group 3, thread 1 of it.
  EXPECT_TRUE(is(PlaceInA(13, 0, 0), 3, 2));
  EXPECT_TRUE(is(PlaceInA(13, 1, 1), 11, 3));
  EXPECT_TRUE(is(PlaceInA(13, 2, 0), 3, 10));
  EXPECT_TRUE(is(PlaceInA(13, 3, 1), 11, 11));
  EXPECT_TRUE(is(PlaceInB(13, 0, 1), 3, 3));
  EXPECT_TRUE(is(PlaceInB(13, 1, 0), 10, 3));
  EXPECT_TRUE(is(PlaceInSums(13, 1), 3, 3));
  EXPECT_TRUE(is(PlaceInSums(13, 2), 11, 2));
}

TEST(FragmentTest, MatricesOfMemoryAreFactors) {
  // Of [columns of b][rows of b] in memory as they lie, of [rows][columns] transposed.
  for (int32_t lane = 0; lane < 32; ++lane) {
    for (int32_t half = 0; half < 2; ++half) {
      const FragmentPlace b = PlaceInB(lane, 0, half);
      const FragmentPlace lying = PlaceInMatrix(lane, half, false);
      EXPECT_TRUE(lying.row == b.column && lying.column == b.row) << lane;
      const FragmentPlace turned = PlaceInMatrix(lane, half, true);
      EXPECT_TRUE(turned.row == b.row && turned.column == b.column) << lane;
      const FragmentPlace a = PlaceInA(lane, 0, half);
      EXPECT_TRUE(lying.row == a.row && lying.column == a.column) << lane;
    }
  }
}

TEST(FragmentTest, SumsOfTwoProductsAreAFactor) {
  for (int32_t lane = 0; lane < 32; ++lane) {
    for (int32_t word = 0; word < 4; ++word) {
      for (int32_t half = 0; half < 2; ++half) {
        const FragmentPlace a = PlaceInA(lane, word, half);
        const FragmentPlace sum = PlaceInSums(lane, word % 2 * 2 + half);
        EXPECT_EQ(a.row, sum.row);
        EXPECT_EQ(a.column, sum.column + word / 2 * kFragmentColumns);
      }
    }
  }
}

}  // namespace
}  // namespace sluice
