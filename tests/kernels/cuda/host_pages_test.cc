// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_pages.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <vector>

#include "tests/kernels/testing/random.h"

namespace sluice::cuda {
namespace {

constexpr int64_t kPage = 4096;

using Range = std::pair<uintptr_t, int64_t>;  // where it begins, its bytes

std::set<uintptr_t> PagesOf(const std::vector<Range>& ranges) {
  std::set<uintptr_t> pages;
  for (const auto& [begin, bytes] : ranges) {
    const uintptr_t last = (begin + static_cast<uintptr_t>(bytes) - 1) / kPage;
    for (uintptr_t page = begin / kPage; page <= last; ++page) pages.insert(page);
  }
  return pages;
}

// Pages as the driver has them: each is registered once, in the runs in which it ceases.
class HostPagesTest : public testing::Test {
 protected:
  using Run = std::pair<uintptr_t, uintptr_t>;

  std::set<uintptr_t> Registered() const {
    std::set<uintptr_t> pages;
    for (const Run& run : runs_) {
      for (uintptr_t page = run.first; page < run.second; page += kPage) {
        EXPECT_TRUE(pages.insert(page / kPage).second) << "page registered twice";
      }
    }
    return pages;
  }

  // The driver takes no more than this many runs.
  size_t most_runs_ = 1000;
  std::set<Run> runs_;
  HostPages pages_{kPage,
                   [this](uintptr_t b, uintptr_t e) {
                     return runs_.size() < most_runs_ && runs_.insert({b, e}).second;
                   },
                   [this](uintptr_t b, uintptr_t e) { EXPECT_EQ(runs_.erase({b, e}), 1u); }};
};

TEST_F(HostPagesTest, WholePagesAreHeld) {
  pages_.Hold(3 * kPage + 100, 10);
  EXPECT_EQ(Registered(), (std::set<uintptr_t>{3}));
  pages_.Hold(7 * kPage - 1, 2);
  EXPECT_EQ(Registered(), (std::set<uintptr_t>{3, 6, 7}));
  pages_.Hold(10 * kPage, 4 * kPage);
  EXPECT_EQ(Registered(), (std::set<uintptr_t>{3, 6, 7, 10, 11, 12, 13}));
}

TEST_F(HostPagesTest, TheSameRangeIsHeldUntilItsLastRelease) {
  pages_.Hold(100, 3 * kPage);
  pages_.Hold(100, 3 * kPage);
  pages_.Release(100, 3 * kPage);
  EXPECT_EQ(Registered(), (std::set<uintptr_t>{0, 1, 2, 3}));
  pages_.Release(100, 3 * kPage);
  EXPECT_EQ(Registered(), std::set<uintptr_t>{});
}

TEST_F(HostPagesTest, ARangeThatCannotBeAddedIsNotHeldAtAll) {
  const Range all = {100, 5 * kPage};  // three runs
  ASSERT_TRUE(pages_.Hold(50, 10));    // in the first of them
  for (most_runs_ = 1; most_runs_ < 3; ++most_runs_) {
    EXPECT_FALSE(pages_.Hold(all.first, all.second));
    EXPECT_EQ(Registered(), std::set<uintptr_t>{0});
  }
  EXPECT_TRUE(pages_.Hold(all.first, all.second));
  EXPECT_EQ(Registered(), PagesOf({all}));
  pages_.Release(50, 10);
  pages_.Release(all.first, all.second);
  EXPECT_EQ(Registered(), std::set<uintptr_t>{});
}

// Neighbours share pages; what is registered is always what the ranges that are held need.
TEST_F(HostPagesTest, NeighboursShareThePageBetweenThem) {
  kernels_testing::Random random({3});
  std::vector<Range> free;
  std::vector<Range> held;
  for (uintptr_t at = 50; free.size() < 60; at += static_cast<uintptr_t>(free.back().second)) {
    free.push_back({at, random.Between(1, 3 * kPage)});
  }
  for (int step = 0; step < 1000; ++step) {
    const bool hold = held.empty() || (!free.empty() && random.Chance(0.5));
    auto& from = hold ? free : held;
    auto& to = hold ? held : free;
    const auto chosen = from.begin() + random.Below(static_cast<int64_t>(from.size()));
    if (hold) {
      ASSERT_TRUE(pages_.Hold(chosen->first, chosen->second));
    } else {
      pages_.Release(chosen->first, chosen->second);
    }
    to.push_back(*chosen);
    from.erase(chosen);
    ASSERT_EQ(Registered(), PagesOf(held));
  }
}

}  // namespace
}  // namespace sluice::cuda
