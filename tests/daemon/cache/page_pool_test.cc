// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/page_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TenantId kTenant{0};
constexpr TenantId kOther{1};
constexpr LaneTickets kStart;

// Four slabs of 1000 bytes; the class has 4 pages of 200 a slab, 200 bytes rest.
class PagePoolTest : public ::testing::Test {
 protected:
  std::vector<PageId> Take(PagePool& pool, size_t count, Purpose purpose = Purpose::kAppend,
                           TenantId tenant = kTenant) {
    std::vector<PageId> pages(count);
    if (!pool.Allocate(size_class_, tenant, purpose, pages, &cleared_)) pages.clear();
    EXPECT_EQ(pool.CheckInvariants(), "");
    return pages;
  }
  void GiveBack(PagePool& pool, const std::vector<PageId>& pages) {
    pool.Release(pages, kStart);
    EXPECT_FALSE(pool.Passed(kStart, 1000));
    EXPECT_EQ(pool.CheckInvariants(), "");
  }

  PagePool pool_{{.slab_count = 4, .slab_bytes = 1000, .job_reserve_bytes = 0}};
  SizeClassId size_class_ = pool_.AddSizeClass(4, 200, 16);
  PagePool reserving_{{.slab_count = 4, .slab_bytes = 1000, .job_reserve_bytes = 1001}};
  SizeClassId same_class_ = reserving_.AddSizeClass(4, 200, 16);
  std::vector<SlabId> cleared_;
};

TEST_F(PagePoolTest, TheSameSizeIsTheSameClass) {
  EXPECT_EQ(pool_.AddSizeClass(4, 200, 16), size_class_);
  EXPECT_NE(pool_.AddSizeClass(3, 200, 16), size_class_);
  EXPECT_NE(pool_.AddSizeClass(4, 200, 32), size_class_);
}

TEST_F(PagePoolTest, HandsOutEveryPageOnce) {
  const std::vector<PageId> pages = Take(pool_, 16);
  EXPECT_EQ(std::set<PageId>(pages.begin(), pages.end()).size(), 16u);
  EXPECT_THAT(Take(pool_, 1), IsEmpty());
}

TEST_F(PagePoolTest, AllocateIsAllOrNothing) {
  Take(pool_, 10);
  const PoolBytes before = pool_.bytes();
  EXPECT_THAT(Take(pool_, 7), IsEmpty());
  EXPECT_EQ(pool_.bytes(), before);
  EXPECT_EQ(Take(pool_, 6).size(), 6u);
}

TEST_F(PagePoolTest, SaysHowManyBytesAreMissing) {
  const PageDemand demands[] = {{size_class_, kTenant, 9}, {size_class_, kTenant, 9}};
  EXPECT_EQ(pool_.MissingBytes(demands, Purpose::kAppend), 2 * 200);
  // Nine pages of either tenant take three slabs each.
  const PageDemand apart[] = {{size_class_, kTenant, 9}, {size_class_, kOther, 9}};
  EXPECT_EQ(pool_.MissingBytes(apart, Purpose::kAppend), 5 * 200);
}

TEST_F(PagePoolTest, APageIsFreeOnceItsLastReferenceIsGoneAndTheLanesHavePassed) {
  const std::vector<PageId> pages = Take(pool_, 1);
  pool_.AddReference(pages[0]);
  EXPECT_EQ(pool_.Release(pages, {.foreground = 5, .background = 2}), 0);
  EXPECT_EQ(pool_.bytes().in_use, 200);
  EXPECT_EQ(pool_.Release(pages, {.foreground = 6, .background = 2}), 1);
  EXPECT_EQ(pool_.bytes().retired, 200);
  pool_.Passed({.foreground = 5, .background = 9}, 10);
  EXPECT_EQ(pool_.bytes().retired, 200);
  pool_.Passed({.foreground = 6, .background = 2}, 10);
  EXPECT_EQ(pool_.bytes().free, 4000);
}

TEST_F(PagePoolTest, FreesNoMoreThanASlice) {
  const std::vector<PageId> pages = Take(pool_, 6);
  pool_.Release(pages, kStart);
  EXPECT_TRUE(pool_.Passed(kStart, 4));
  EXPECT_EQ(pool_.bytes().retired, 2 * 200);
  EXPECT_FALSE(pool_.Passed(kStart, 4));
  EXPECT_EQ(pool_.bytes().retired, 0);
}

TEST_F(PagePoolTest, TenantsShareNoSlab) {
  const std::vector<PageId> mine = Take(pool_, 1);
  const std::vector<PageId> theirs = Take(pool_, 1, Purpose::kAppend, kOther);
  EXPECT_NE(mine[0].slab(), theirs[0].slab());
}

TEST_F(PagePoolTest, ASlabIsClearedOnlyWhenItChangesTenant) {
  const std::vector<PageId> first = Take(pool_, 16);
  EXPECT_THAT(cleared_, IsEmpty());
  GiveBack(pool_, first);
  const std::vector<PageId> again = Take(pool_, 1);
  EXPECT_THAT(cleared_, IsEmpty());
  GiveBack(pool_, again);
  const std::vector<PageId> theirs = Take(pool_, 1, Purpose::kAppend, kOther);
  EXPECT_THAT(cleared_, ElementsAre(theirs[0].slab()));
}

TEST_F(PagePoolTest, AFreedSlabServesAnotherClass) {
  GiveBack(pool_, Take(pool_, 16));
  std::vector<PageId> pages(4);
  const SizeClassId whole = pool_.AddSizeClass(1, 1000, 16);
  EXPECT_TRUE(pool_.Allocate(whole, kTenant, Purpose::kAppend, pages, &cleared_));
  EXPECT_EQ(pool_.bytes().in_use, 4000);
  EXPECT_EQ(pool_.CheckInvariants(), "");
}

TEST_F(PagePoolTest, WhatIsAvailableToAClassAreItsOwnPagesAndWholeSlabs) {
  const SizeClassId large = pool_.AddSizeClass(1, 900, 16);
  Take(pool_, 5);
  EXPECT_EQ(pool_.AvailableBytes(kTenant, size_class_), 3 * 200 + 2 * 800);
  EXPECT_EQ(pool_.AvailableBytes(kTenant, large), 2 * 900);
  EXPECT_EQ(pool_.AvailableBytes(kOther, size_class_), 2 * 800);
}

TEST_F(PagePoolTest, TheReserveIsRoundedUpAndNeverGivenToAppends) {
  EXPECT_EQ(reserving_.bytes().reserved, 2000);
  EXPECT_EQ(reserving_.AvailableBytes(kTenant), 2000);
  EXPECT_THAT(Take(reserving_, 9), IsEmpty());
  EXPECT_EQ(Take(reserving_, 8).size(), 8u);
  EXPECT_EQ(reserving_.AvailableBytes(kTenant), 0);
  EXPECT_EQ(Take(reserving_, 8, Purpose::kJob).size(), 8u);
}

TEST_F(PagePoolTest, AJobTakesWhatAppendsCouldTakeFirst) {
  Take(reserving_, 3);
  Take(reserving_, 5, Purpose::kJob);
  EXPECT_EQ(reserving_.bytes().reserved, 2000 + 5 * 200);
  EXPECT_THAT(Take(reserving_, 1), IsEmpty());
}

TEST_F(PagePoolTest, TheRestOfAReserveSlabStaysClosedUntilTheReserveIsWhole) {
  const std::vector<PageId> appended = Take(reserving_, 8);
  const std::vector<PageId> job = Take(reserving_, 1, Purpose::kJob);
  EXPECT_EQ(reserving_.bytes().reserved, 1000 + 3 * 200 + 200);
  EXPECT_THAT(Take(reserving_, 1), IsEmpty());
  EXPECT_EQ(Take(reserving_, 1, Purpose::kJob)[0].slab(), job[0].slab());
  GiveBack(reserving_, appended);
  EXPECT_EQ(reserving_.bytes().reserved, 2000 + 2 * 200);
  EXPECT_EQ(Take(reserving_, 1)[0].slab(), job[0].slab());
}

TEST_F(PagePoolTest, AReservedPageIsInUseFromItsFirstReference) {
  const std::vector<PageId> pages = Take(pool_, 2, Purpose::kJob);
  EXPECT_EQ(pool_.bytes().reserved, 400);
  pool_.AddReference(pages[0]);
  EXPECT_EQ(pool_.reference_count(pages[0]), 1);
  EXPECT_EQ(pool_.bytes().in_use, 200);
  pool_.Discard({&pages[1], 1}, kStart);
  EXPECT_EQ(pool_.bytes().reserved, 0);
  EXPECT_EQ(pool_.bytes().retired, 200);
}

TEST_F(PagePoolTest, AReferenceToAFreePageStopsTheProcess) {
  const std::vector<PageId> pages = Take(pool_, 1);
  pool_.Release(pages, kStart);
  EXPECT_DEATH(pool_.AddReference(pages[0]), "page");
  EXPECT_DEATH(pool_.Release(pages, kStart), "page");
}

}  // namespace
}  // namespace sluice
