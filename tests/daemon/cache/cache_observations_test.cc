// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a sequence's observation rows are held.

#include <gtest/gtest.h>

#include "tests/daemon/cache/cache_fixture.h"

namespace sluice {
namespace {

class CacheObservationsTest : public CacheFixture {
 protected:
  static constexpr int64_t kRowsBytes = 3 * 60;

  // A step of one token that writes observation rows, and closes.
  StepEntryGrant Observe(SequenceId id) {
    const StepEntryRequest entry{id, cache_.Find(id)->length(), 1, pages_};
    const absl::StatusOr<StepGrant> grant = cache_.BeginStep({&entry, 1});
    EXPECT_TRUE(grant.ok()) << grant.status();
    cache_.CloseStep(id);
    return grant->entries[0];
  }
  BlockId RowsOf(SequenceId id) { return *cache_.Find(id)->observations(); }

  const ObservationPages pages_{cache_.AddSizeClass(4, 60, 1), 3};
};

TEST_F(CacheObservationsTest, AreTakenByTheFirstStepThatWantsThem) {
  const SequenceId id = Create();
  EXPECT_FALSE(Append(id, 1).new_observations.has_value());
  const StepEntryGrant first = Observe(id);
  EXPECT_EQ(first.new_observations, RowsOf(id));
  EXPECT_FALSE(first.observations_source.has_value());
  EXPECT_EQ(cache_.BlockPages(RowsOf(id)).size(), 3u);
  EXPECT_EQ(cache_.HeldBytes(id), kBlockBytes + kRowsBytes);
  EXPECT_EQ(cache_.BytesAlone(id), kBlockBytes + kRowsBytes);
  EXPECT_FALSE(Observe(id).new_observations.has_value());
}

TEST_F(CacheObservationsTest, OfAForkAreCopiedByWhoWritesFirst) {
  const SequenceId parent = Create();
  Observe(parent);
  const BlockId rows = RowsOf(parent);
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_EQ(RowsOf(child), rows);
  const StepEntryGrant copied = Observe(child);
  EXPECT_EQ(copied.observations_source, rows);
  EXPECT_NE(RowsOf(child), rows);
  EXPECT_FALSE(Observe(parent).new_observations.has_value());
  Settle();
}

TEST_F(CacheObservationsTest, OfACancelledJobStayForAsLongAsTheyAreHeld) {
  const SequenceId id = Create();
  Observe(id);
  const BlockId rows = RowsOf(id);
  ASSERT_TRUE(cache_.PlanJob(id, 1).ok());
  cache_.HoldObservations(id);
  cache_.HoldBlock(rows);
  cache_.CancelJob(id);
  EXPECT_EQ(cache_.CheckInvariants(), "");
  EXPECT_EQ(Observe(id).observations_source, rows);
  ASSERT_TRUE(cache_.Free(id).ok());
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kRowsBytes);
  cache_.ReleaseBlock(rows);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, 0);
}

TEST_F(CacheObservationsTest, ABlockOfTheCallersIsTakenWhereThereIsRoom) {
  std::vector<SlabId> slabs;
  const auto block = cache_.TakeBlock(tenant_, pages_.size_class, 3, &slabs);
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(cache_.pool_bytes().in_use, kRowsBytes);
  EXPECT_EQ(cache_.CheckInvariants(), "");
  // All but the job reserve, and what is left of its slab.
  EXPECT_FALSE(cache_.TakeBlock(tenant_, pages_.size_class, 8 * 4, &slabs).has_value());
  cache_.ReleaseBlock(*block);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, 0);
}

TEST_F(CacheObservationsTest, OneOfTwoForksOfAStepNeedsNoCopy) {
  const SequenceId parent = Create();
  Observe(parent);
  const SequenceId child = *cache_.Fork(parent);
  const StepEntryRequest entries[] = {{parent, 1, 1, pages_}, {child, 1, 1, pages_}};
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries);
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_TRUE(grant->entries[0].new_observations.has_value());
  EXPECT_FALSE(grant->entries[1].new_observations.has_value());
}

TEST_F(CacheObservationsTest, ThatAJobHoldsAreCopiedToo) {
  const SequenceId id = Create();
  Observe(id);
  ASSERT_TRUE(cache_.PlanJob(id, 1).ok());
  const std::optional<BlockId> held = cache_.HoldObservations(id);
  EXPECT_EQ(held, RowsOf(id));
  EXPECT_EQ(Observe(id).observations_source, held);
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + 2 * kRowsBytes);
  cache_.CancelJob(id);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + kRowsBytes);
}

TEST_F(CacheObservationsTest, OfAJobOfItsOwnAreNotSharedWithAnother) {
  const SequenceId id = Create();
  Observe(id);
  ASSERT_TRUE(cache_.PlanJob(id, 1).ok());
  cache_.HoldObservations(id);
  EXPECT_FALSE(cache_.MayShare(id));
  EXPECT_EQ(cache_.BytesAlone(id), cache_.HeldBytes(id));
  cache_.CancelJob(id);  // counts no longer, before anything is reclaimed
  EXPECT_EQ(cache_.BytesAlone(id), cache_.HeldBytes(id));
  const SequenceId child = *cache_.Fork(id);
  EXPECT_TRUE(cache_.MayShare(id));
  EXPECT_EQ(cache_.BytesAlone(child), 0);
}

TEST_F(CacheObservationsTest, AreAdmittedLikePages) {
  const SequenceId id = Create();
  const StepEntryRequest most{id, 0, 4 * 32, {}};
  EXPECT_EQ(cache_.MissingBytes({&most, 1}), 0);
  const StepEntryRequest with_rows{id, 0, 4 * 32, pages_};
  EXPECT_GT(cache_.MissingBytes({&with_rows, 1}), 0);
  EXPECT_EQ(ReasonOf(cache_.BeginStep({&with_rows, 1}).status()), Reason::kPoolFull);
  EXPECT_FALSE(cache_.Find(id)->observations().has_value());
}

TEST_F(CacheObservationsTest, GoWhenTheyAreDroppedOrTheSequenceIsFreed) {
  const SequenceId first = Create(), second = Create();
  Observe(first);
  Observe(second);
  cache_.DropObservations(first);
  EXPECT_FALSE(cache_.Find(first)->observations().has_value());
  cache_.DropObservations(first);  // has none
  ASSERT_TRUE(cache_.Free(second).ok());
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes);
}

}  // namespace
}  // namespace sluice
