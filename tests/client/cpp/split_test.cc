// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SplitRowsTest, WhatFitsIsOneRange) {
  EXPECT_THAT(SplitRows(4, 25, 100), ElementsAre(RowRange{0, 4}));
}

TEST(SplitRowsTest, RangesFollowEachOtherAndKeepTheLimit) {
  EXPECT_THAT(SplitRows(10, 25, 110), ElementsAre(RowRange{0, 4}, RowRange{4, 4}, RowRange{8, 2}));
}

TEST(SplitRowsTest, ARowAboveTheLimitIsRefused) {
  EXPECT_THAT(SplitRows(3, 101, 100), IsEmpty());
  EXPECT_THAT(SplitRows(3, 101, -5), IsEmpty());
}

TEST(SplitEntriesTest, WholeEntriesShareARangeWhileTheyFit) {
  const std::vector<int64_t> counts = {2, 1, 1, 3, 4};
  EXPECT_THAT(SplitEntries(counts, 10, 45),
              ElementsAre(RowRange{0, 3}, RowRange{3, 1}, RowRange{4, 1}));
  EXPECT_THAT(SplitEntries(counts, 10, 110), ElementsAre(RowRange{0, 5}));
}

TEST(SplitEntriesTest, AnEntryAboveTheLimitIsRefused) {
  EXPECT_THAT(SplitEntries(std::vector<int64_t>{1, 5, 1}, 10, 49), IsEmpty());
}

TEST(SplitLayersTest, WholeLayersShareARequestWhileTheyFit) {
  const LayerSize layer{.rows = 2, .row_bytes = 20, .last_bytes = 5};
  const std::vector<LayerSize> layers(3, layer);
  EXPECT_THAT(SplitLayers(layers, 90),
              ElementsAre(ElementsAre(LayerPart{0, {0, 2}}, LayerPart{1, {0, 2}}),
                          ElementsAre(LayerPart{2, {0, 2}})));
}

TEST(SplitLayersTest, ALayerAboveTheLimitIsCutByTokensIntoRequestsOfItsOwn) {
  const std::vector<LayerSize> layers = {{1, 10, 0}, {5, 40, 0}, {1, 10, 0}};
  EXPECT_THAT(SplitLayers(layers, 100),
              ElementsAre(ElementsAre(LayerPart{0, {0, 1}}), ElementsAre(LayerPart{1, {0, 2}}),
                          ElementsAre(LayerPart{1, {2, 2}}), ElementsAre(LayerPart{1, {4, 1}}),
                          ElementsAre(LayerPart{2, {0, 1}})));
}

TEST(SplitLayersTest, PartsLeaveRoomForWhatComesWithTheLast) {
  const std::vector<LayerSize> layers = {{4, 30, 40}};
  EXPECT_THAT(SplitLayers(layers, 100),
              ElementsAre(ElementsAre(LayerPart{0, {0, 2}}), ElementsAre(LayerPart{0, {2, 2}})));
}

TEST(SplitLayersTest, ARowAboveTheLimitIsRefused) {
  const std::vector<LayerSize> layers = {{1, 10, 0}, {2, 60, 50}};
  EXPECT_THAT(SplitLayers(layers, 100), IsEmpty());
}

}  // namespace
}  // namespace sluice::client
