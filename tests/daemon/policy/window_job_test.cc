// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/window_job.h"

#include "gtest/gtest.h"
#include "tests/daemon/policy/model_facts.h"
#include "tests/daemon/policy/window_presets.h"

namespace sluice {
namespace {

// A window of 8; a budget of 32 leaves 24 before it.
PolicySpec Spec(SharedPrefix shared_prefix = SharedPrefix::kCompress) {
  return WindowPreset({.preset = "snapkv",
                       .budget_tokens = 32,
                       .window_tokens = 8,
                       .shared_prefix = shared_prefix},
                      UniformModel(1, 1))
      ->spec();
}

class WindowJobTest : public ::testing::Test {
 protected:
  WindowJob Job(const PolicySpec& spec, int64_t snapshot_tokens) const {
    return WindowJob(spec, rows_, {100, snapshot_tokens, 0, held_});
  }

  const PolicySpec spec_ = Spec();
  const RowTable rows_{UniformModel(1, 2)};
  const std::vector<RowFacts> held_ = RowsHolding({100, 60});
};

TEST_F(WindowJobTest, ThePrefixIsWhatLiesBeforeTheWindow) {
  for (const int64_t snapshot : {92, 80, 96}) {
    const WindowJob job = Job(spec_, snapshot);
    EXPECT_EQ(job.PrefixSlots(0), 92);
    EXPECT_EQ(job.PrefixSlots(1), 52);
    EXPECT_EQ(job.PrefixSlotsOf(rows_.layers()[0]), 144);
  }
}

TEST_F(WindowJobTest, ATailThatIsTheWindowLeavesTheCountsAsTheyAre) {
  const WindowJob job = Job(spec_, 92);
  EXPECT_EQ(job.Competition(0, 2, 48), (RecipeSegment{.first_row = 0, .row_count = 2, .k = 48}));
  EXPECT_EQ(job.PrefixWinners(30), 30);
  EXPECT_EQ(job.KeepBestOf(std::vector<int64_t>{30, 18}).segments,
            (std::vector<RecipeSegment>{{.first_row = 0, .k = 30}, {.first_row = 1, .k = 18}}));
}

TEST_F(WindowJobTest, AWiderTailTakesItsPlacesFirst) {
  const WindowJob job = Job(spec_, 80);
  EXPECT_EQ(job.Competition(0, 2, 48).k, 24);
  EXPECT_EQ(job.PrefixWinners(18), 30);
  EXPECT_EQ(PlacesOf(job.KeepBestOf(std::vector<int64_t>{30, 10})), (std::vector<int64_t>{18, 0}));
  EXPECT_EQ(job.BelowSnapshot(25), 5);
}

TEST_F(WindowJobTest, WhatOfTheWindowLiesInTheBodyIsProtected) {
  const WindowJob job = Job(spec_, 96);
  const RecipeSegment segment = job.Competition(0, 2, 48);
  EXPECT_EQ(segment.k, 56);
  EXPECT_EQ(segment.protect_from_position, 92);
  EXPECT_EQ(job.PrefixWinners(34), 30);
  EXPECT_EQ(job.KeepBestOf(std::vector<int64_t>{30, 18}).segments[0],
            (RecipeSegment{.first_row = 0, .k = 34, .protect_from_position = 92}));
}

TEST_F(WindowJobTest, NoRowGetsMoreThanItHas) {
  EXPECT_EQ(PlacesOf(Job(spec_, 92).KeepBestOf(std::vector<int64_t>{500, 52})),
            (std::vector<int64_t>{92, 52}));
}

TEST_F(WindowJobTest, AKeptSharedPrefixComesFirstAndStaysWhole) {
  const PolicySpec spec = Spec(SharedPrefix::kKeep);
  const std::vector<RowFacts> held = {{100, 40}, {60, 10}};
  const WindowJob job(spec, rows_, {100, 92, 40, held});
  EXPECT_EQ(job.Competition(0, 2, 48).protect_below_position, 40);
  EXPECT_EQ(PlacesOf(job.KeepBestOf(std::vector<int64_t>{24, 24})),
            (std::vector<int64_t>{40, 24}));
}

TEST_F(WindowJobTest, WhatLiesBehindASlidingWindowDoesNotCount) {
  const RowTable rows(UniformModel(1, 2, /*window_tokens=*/21));
  const WindowJob job(spec_, rows, {100, 92, 0, held_});
  EXPECT_EQ(job.PrefixSlots(0), 20);
  EXPECT_EQ(job.Competition(0, 2, 48).drop_below_position, 72);
  const JobRecipe all = job.KeepAll();
  EXPECT_EQ(all.segments[0], (RecipeSegment{.k = 20, .drop_below_position = 72}));
  EXPECT_FALSE(all.evicts_nothing);
}

TEST_F(WindowJobTest, KeepingAllEvictsNothing) {
  const JobRecipe all = Job(spec_, 92).KeepAll();
  EXPECT_TRUE(all.evicts_nothing);
  EXPECT_EQ(PlacesOf(all), (std::vector<int64_t>{92, 52}));
}

}  // namespace
}  // namespace sluice
