// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cache/cache_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CacheJobsTest : public CacheFixture {
 protected:
  // Keeps `slots` a row, all in fresh pages.
  void Compress(SequenceId id, int64_t snapshot, int64_t slots) {
    ASSERT_TRUE(cache_.PlanJob(id, snapshot).ok());
    const int64_t pages = (slots + 3) / 4;
    const absl::StatusOr<JobPages> fresh = cache_.AllocateJobPages(id, 2 * pages);
    ASSERT_TRUE(fresh.ok());
    cache_.CommitJob(id, {.rows = {{0, slots}, {pages, slots}}, .pages = fresh->pages});
    Settle();
  }
};

TEST_F(CacheJobsTest, ACommitReplacesWhatLiesBeforeTheSnapshot) {
  const SequenceId id = Create();
  Append(id, 14);
  Compress(id, 10, 5);
  const Sequence& sequence = *cache_.Find(id);
  EXPECT_EQ(sequence.length(), 14);
  EXPECT_EQ(sequence.tail_first_position(), 10);
  EXPECT_EQ(sequence.tail_start(), 2);  // position 10 is slot 2 of the third block
  EXPECT_THAT(sequence.blocks(), SizeIs(2));
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(5 + 4, 5 + 4));
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * kBlockBytes + 4 * 100);
}

TEST_F(CacheJobsTest, ThePlanCountsBodyAndTailByRow) {
  const SequenceId id = Create();
  Append(id, 12);
  ASSERT_TRUE(cache_.PlanJob(id, 12).ok());
  const absl::StatusOr<JobPages> fresh = cache_.AllocateJobPages(id, 1);
  cache_.CommitJob(id, {.rows = {{0, 3}, {1, 0}}, .pages = fresh->pages});
  Append(id, 5);
  EXPECT_THAT(*cache_.PlanJob(id, 15), ElementsAre(3 + 3, 0 + 3));
}

TEST_F(CacheJobsTest, ASnapshotOfEverythingLeavesNoTail) {
  const SequenceId id = Create();
  Append(id, 10);
  Compress(id, 10, 4);
  EXPECT_THAT(Blocks(id), IsEmpty());
  EXPECT_EQ(cache_.Find(id)->tail_start(), 0);
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * 100);
  EXPECT_EQ(Append(id, 1).new_block_count, 1);
}

TEST_F(CacheJobsTest, NothingKeptIsNoBody) {
  const SequenceId id = Create();
  Append(id, 8);
  Compress(id, 8, 0);
  EXPECT_FALSE(cache_.Find(id)->bodies().has_value());
  EXPECT_EQ(cache_.pool_bytes().in_use, 0);
}

TEST_F(CacheJobsTest, APageIsTakenOverByReference) {
  const SequenceId id = Create();
  Append(id, 8);
  const std::vector<PageId> kept = {Page(id, 0, 0), Page(id, 1, 1)};
  ASSERT_TRUE(cache_.PlanJob(id, 8).ok());
  cache_.CommitJob(id, {.rows = {{0, 4}, {1, 4}}, .pages = kept});
  Settle();
  EXPECT_EQ(cache_.BodiesOf(*cache_.Find(id)->bodies()).pages, kept);
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * 100);
}

TEST_F(CacheJobsTest, ARowThatAJobLeavesAloneKeepsItsPartlyFilledPage) {
  const SequenceId id = Create();
  Append(id, 10);
  Compress(id, 10, 6);
  const std::vector<PageId> old = cache_.BodiesOf(*cache_.Find(id)->bodies()).pages;
  Append(id, 3);
  ASSERT_TRUE(cache_.PlanJob(id, 10).ok());
  const std::vector<PageId> fresh = cache_.AllocateJobPages(id, 1)->pages;
  cache_.CommitJob(id, {.rows = {{0, 2}, {1, 6}}, .pages = {fresh[0], old[2], old[3]}});
  Settle();
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(2 + 3, 6 + 3));
  EXPECT_EQ(cache_.Find(id)->tail_first_position(), 10);
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + 3 * 100);
}

TEST_F(CacheJobsTest, ABlockWithAPageInABodyIsCopiedBeforeItIsWritten) {
  const SequenceId parent = Create();
  Append(parent, 4);
  const SequenceId child = *cache_.Fork(parent);
  ASSERT_TRUE(cache_.PlanJob(child, 4).ok());
  cache_.CommitJob(child, {.rows = {{0, 4}, {1, 0}}, .pages = {Page(parent, 0, 0)}});
  Settle();
  ASSERT_TRUE(cache_.Rollback(parent, 2).ok());  // alone lists the block now
  EXPECT_TRUE(Append(parent, 1).copy.has_value());
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + 100);
}

TEST_F(CacheJobsTest, ABlockBeyondTheSnapshotIsHeldForAJobThatReadsItToo) {
  for (const bool reads : {false, true}) {
    const SequenceId parent = Create();
    Append(parent, 10);
    const SequenceId child = *cache_.Fork(parent);
    ASSERT_TRUE(cache_.PlanJob(parent, 8, reads ? std::optional<int64_t>(10) : std::nullopt).ok());
    EXPECT_TRUE(Append(parent, 1).copy.has_value());
    ASSERT_TRUE(cache_.Free(child).ok());
    Settle();
    EXPECT_EQ(cache_.pool_bytes().in_use, (reads ? 4 : 3) * kBlockBytes);
    cache_.CancelJob(parent);
    Settle();
    EXPECT_EQ(cache_.pool_bytes().in_use, 3 * kBlockBytes);
    ASSERT_TRUE(cache_.Free(parent).ok());
    Settle();
  }
}

TEST_F(CacheJobsTest, TheFloorIsTheSnapshotOfTheLastCommit) {
  const SequenceId id = Create();
  Append(id, 10);
  Compress(id, 7, 3);
  EXPECT_EQ(cache_.Find(id)->rollback_floor(), 7);
  EXPECT_EQ(ReasonOf(cache_.Rollback(id, 6)), Reason::kBelowFloor);
  EXPECT_TRUE(cache_.Rollback(id, 7).ok());
  EXPECT_THAT(Blocks(id), IsEmpty());
}

TEST_F(CacheJobsTest, AForkKeepsTheBodyThatItsParentReplaces) {
  const SequenceId parent = Create();
  Append(parent, 8);
  Compress(parent, 8, 4);
  const SequenceId child = *cache_.Fork(parent);
  Append(parent, 4);
  Compress(parent, 12, 2);
  EXPECT_THAT(cache_.KeptSlots(child), ElementsAre(4, 4));
  EXPECT_THAT(cache_.KeptSlots(parent), ElementsAre(2, 2));
  EXPECT_EQ(cache_.pool_bytes().in_use, 4 * 100);
}

TEST_F(CacheJobsTest, JobPagesAreReservedUntilTheCommitAndTheUnusedGoBack) {
  const SequenceId id = Create();
  Append(id, 8);
  const int64_t reserve = cache_.pool_bytes().reserved;
  ASSERT_TRUE(cache_.PlanJob(id, 8).ok());
  const std::vector<PageId> fresh = cache_.AllocateJobPages(id, 5)->pages;
  EXPECT_EQ(cache_.pool_bytes().reserved, reserve + 500);
  cache_.CommitJob(id, {.rows = {{0, 1}, {1, 1}}, .pages = {fresh[0], fresh[4]}});
  Settle();
  EXPECT_EQ(cache_.pool_bytes().reserved, reserve);
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * 100);
}

TEST_F(CacheJobsTest, ACancelledJobAndAFreedSequenceGiveTheirPagesBack) {
  const SequenceId id = Create();
  Append(id, 8);
  const PoolBytes before = cache_.pool_bytes();
  ASSERT_TRUE(cache_.PlanJob(id, 8).ok());
  ASSERT_TRUE(cache_.AllocateJobPages(id, 5).ok());
  cache_.CancelJob(id);
  Settle();
  EXPECT_EQ(cache_.pool_bytes(), before);
  ASSERT_TRUE(cache_.PlanJob(id, 8).ok());
  ASSERT_TRUE(cache_.AllocateJobPages(id, 5).ok());
  ASSERT_TRUE(cache_.Free(id).ok());
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, 0);
}

TEST_F(CacheJobsTest, AJobFindsRoomInTheReserveWhenAppendsFindNone) {
  const SequenceId id = Create();
  Append(id, 4 * 32);  // all that appends may take
  EXPECT_EQ(ReasonOf(Begin(id, 1).status()), Reason::kPoolFull);
  Compress(id, 4 * 32, 8);
  EXPECT_EQ(cache_.pool_bytes().in_use, 4 * 100);
  EXPECT_TRUE(Begin(id, 1).ok());
}

TEST_F(CacheJobsTest, AJobWithoutRoomIsRefusedAndChangesNothing) {
  const SequenceId id = Create();
  Append(id, 4);
  ASSERT_TRUE(cache_.PlanJob(id, 4).ok());
  const PoolBytes before = cache_.pool_bytes();
  EXPECT_EQ(cache_.AvailableJobPages(id), 78);
  EXPECT_EQ(ReasonOf(cache_.AllocateJobPages(id, 79).status()), Reason::kPoolFull);
  EXPECT_EQ(cache_.pool_bytes(), before);
  EXPECT_TRUE(cache_.AllocateJobPages(id, 78).ok());
}

TEST_F(CacheJobsTest, ABlockThatAJobReadsIsNotWrittenByTheOtherHolder) {
  const SequenceId parent = Create();
  Append(parent, 2);
  const SequenceId child = *cache_.Fork(parent);
  ASSERT_TRUE(cache_.PlanJob(parent, 2).ok());
  EXPECT_TRUE(Append(parent, 1).copy.has_value());
  EXPECT_TRUE(Append(child, 1).copy.has_value());
  cache_.CancelJob(parent);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * kBlockBytes);
}

TEST_F(CacheJobsTest, StepsGoOnDuringAJob) {
  const SequenceId id = Create();
  Append(id, 6);
  ASSERT_TRUE(cache_.PlanJob(id, 5).ok());
  Append(id, 4);
  const std::vector<PageId> fresh = cache_.AllocateJobPages(id, 2)->pages;
  cache_.CommitJob(id, {.rows = {{0, 2}, {1, 2}}, .pages = fresh});
  EXPECT_EQ(cache_.Find(id)->length(), 10);
  EXPECT_EQ(cache_.Find(id)->tail_start(), 1);
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(2 + 5, 2 + 5));
}

}  // namespace
}  // namespace sluice
