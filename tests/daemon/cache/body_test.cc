// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a body that steps write in place is held, with scores and without.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/daemon/cache/body_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

INSTANTIATE_TEST_SUITE_P(WithAndWithoutScores, CacheBodyTest, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Scored" : "Unscored"; });

TEST_P(CacheBodyTest, TakesItsPagesWhenAStepReachesThem) {
  const SequenceId id = CreateSequence();
  EXPECT_THAT(Body(id), IsEmpty());
  EXPECT_THAT(Insert(id, 6, {0, 1}, 6).body_copies, IsEmpty());
  EXPECT_THAT(Body(id), SizeIs(2));
  EXPECT_EQ(BodyScores(id).size(), GetParam() ? 2u : 0u);
  EXPECT_THAT(Blocks(id), IsEmpty());
  Settle();
  EXPECT_EQ(InUse(), Bytes(2));
  Insert(id, 4, {1, 2}, 10);
  EXPECT_THAT(Body(id), SizeIs(3));
  Settle();
  EXPECT_EQ(InUse(), Bytes(3));
}

TEST_P(CacheBodyTest, OfPagesThatAreThereAStepTakesNone) {
  const SequenceId id = CreateSequence();
  Insert(id, 8, {0, 1}, 8);
  const std::vector<BlockId> body = Body(id);
  const std::vector<PageId> scores = BodyScores(id);
  Settle();
  AllowMore(Bytes(1));  // for the tail
  const StepEntryGrant grant = Insert(id, 4, {0, 1}, 8);
  EXPECT_THAT(grant.body_copies, IsEmpty());
  EXPECT_FALSE(grant.body_scores_source.has_value());
  EXPECT_EQ(Body(id), body);
  EXPECT_EQ(BodyScores(id), scores);
}

TEST_P(CacheBodyTest, OfAForkIsSharedWhole) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  Settle();
  const SequenceId child = Fork(parent);
  EXPECT_EQ(InUse(), Bytes(2));
  EXPECT_EQ(Body(child), Body(parent));
  EXPECT_EQ(Find(child).body_scores(), Find(parent).body_scores());
  EXPECT_EQ(Find(child).body_slots(), 8);
  EXPECT_TRUE(cache_.MayShareBlock(Body(child)[0]));
  EXPECT_TRUE(cache_.MayShare(child));
  EXPECT_EQ(cache_.HeldBytes(child), Bytes(2));
  EXPECT_EQ(cache_.BytesAlone(child), 0);
}

TEST_P(CacheBodyTest, OfAForkIsCopiedWhereItIsWrittenFirst) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 12, {0, 1, 2}, 12);
  const std::vector<BlockId> body = Body(parent);
  const std::vector<PageId> scores = BodyScores(parent);
  const SequenceId child = Fork(parent);
  const StepEntryGrant first = Insert(child, 4, {0, 2}, 12);
  ASSERT_THAT(first.body_copies, SizeIs(2));
  for (const size_t copy : {0u, 1u}) {
    EXPECT_EQ(first.body_copies[copy].source, body[2 * copy]);
    EXPECT_EQ(first.body_copies[copy].destination, Body(child)[2 * copy]);
    EXPECT_EQ(first.body_copies[copy].slots, 4);
  }
  EXPECT_EQ(Body(child)[1], body[1]);
  EXPECT_EQ(first.body_scores_source.has_value(), GetParam());
  EXPECT_EQ(Body(parent), body);
  EXPECT_EQ(BodyScores(parent), scores);
  const StepEntryGrant second = Insert(parent, 4, {0, 2}, 12);
  EXPECT_THAT(second.body_copies, IsEmpty());
  EXPECT_FALSE(second.body_scores_source.has_value());
  EXPECT_EQ(Body(parent), body);
}

TEST_P(CacheBodyTest, OfTwoForksInAStepIsCopiedOnce) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  const BodyWrites writes{{0, 1}, 1};
  const StepEntryRequest entries[] = {Entry(parent, 4, writes), Entry(child, 4, writes)};
  Settle();
  AllowMore(Bytes(4));  // two of the tails, two copies
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries);
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_THAT(grant->entries[0].body_copies, SizeIs(2));
  EXPECT_THAT(grant->entries[1].body_copies, IsEmpty());
  EXPECT_EQ(grant->entries[0].body_scores_source.has_value(), GetParam());
  EXPECT_FALSE(grant->entries[1].body_scores_source.has_value());
  EXPECT_THAT(grant->new_blocks, SizeIs(4));
  for (const SequenceId id : {parent, child}) End(id, 8);
  EXPECT_FALSE(cache_.MayShare(parent));
}

TEST_P(CacheBodyTest, OfThreeForksInAStepIsCopiedTwiceWhereAllWrite) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId first = Fork(parent), second = Fork(parent);
  const BodyWrites both{{0, 1}, 1}, last{{1}, 1};
  const StepEntryRequest entries[] = {Entry(first, 4, last), Entry(parent, 4, both),
                                      Entry(second, 4, both)};
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries);
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_THAT(grant->entries[0].body_copies, SizeIs(1));
  EXPECT_THAT(grant->entries[1].body_copies, SizeIs(2));
  // The first goes on sharing block 0.
  ASSERT_THAT(grant->entries[2].body_copies, SizeIs(1));
  EXPECT_EQ(grant->entries[2].body_copies[0].source, Body(first)[0]);
  for (const SequenceId id : {first, parent, second}) End(id, 8);
}

TEST_P(CacheBodyTest, WhatAStepNeedsIsWhatItTakes) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  Settle();
  // A block of the tail, a copy and a new one; scores are copied whole.
  const BodyWrites writes{{1, 2}, 1};
  const StepEntryRequest entry = Entry(child, 4, writes);
  const int64_t needed = Bytes(3, /*more_scores=*/1);
  AllowMore(0);
  EXPECT_TRUE(cache_.NeedsPages({&entry, 1}));
  EXPECT_EQ(cache_.MissingBytes({&entry, 1}), needed);
  AllowMore(needed - 1);
  EXPECT_EQ(cache_.MissingBytes({&entry, 1}), 1);
  EXPECT_THAT(cache_.EntriesWithRoom({&entry, 1}), IsEmpty());
  AllowMore(needed);
  EXPECT_EQ(cache_.MissingBytes({&entry, 1}), 0);
  EXPECT_THAT(cache_.EntriesWithRoom({&entry, 1}), ElementsAre(0));
  const int64_t before = InUse();
  ASSERT_TRUE(cache_.BeginStep({&entry, 1}).ok());
  EXPECT_EQ(InUse() - before, needed);
}

TEST_P(CacheBodyTest, AStepIntoPagesOfItsOwnNeedsNothing) {
  const SequenceId id = CreateSequence();
  Insert(id, 4, {0}, 4);
  const BodyWrites pending{{}, 1}, moved{{0}, 0};
  ASSERT_TRUE(Begin(id, 1, pending).ok());
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {.first_position = 4, .body_slots = 4});
  AllowMore(0);
  const StepEntryRequest entry = Entry(id, 1, moved);
  EXPECT_FALSE(cache_.NeedsPages({&entry, 1}));
  EXPECT_EQ(cache_.MissingBytes({&entry, 1}), 0);
  ASSERT_TRUE(cache_.BeginStep({&entry, 1}).ok());
  End(id, 4);
}

TEST_P(CacheBodyTest, RoomIsGivenInTheEntriesOrder) {
  const SequenceId first = CreateSequence();
  Insert(first, 4, {0}, 4);
  const SequenceId second = Fork(first), third = Fork(first);
  Settle();
  const BodyWrites writes{{0}, 1}, longer{{0, 1}, 1};
  const StepEntryRequest entries[] = {Entry(first, 4, writes), Entry(second, 4, longer),
                                      Entry(third, 4, writes)};
  // Two copies of the block that all share; the last that is left writes it in place.
  AllowMore(Bytes(4));
  EXPECT_EQ(cache_.MissingBytes(entries), Bytes(2));
  EXPECT_THAT(cache_.EntriesWithRoom(entries), ElementsAre(0, 2));
  AllowMore(Bytes(5));
  EXPECT_THAT(cache_.EntriesWithRoom(entries), ElementsAre(0, 1));
  AllowMore(Bytes(6));
  EXPECT_THAT(cache_.EntriesWithRoom(entries), ElementsAre(0, 1, 2));
  EXPECT_TRUE(cache_.BeginStep(entries).ok());
  EXPECT_EQ(cache_.AvailableBytes(tenant_), 0);
}

TEST_P(CacheBodyTest, ARefusalChangesNothing) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  Settle();
  const std::vector<BlockId> body = Body(parent);
  const std::vector<PageId> scores = BodyScores(child);
  const PoolBytes before = cache_.pool_bytes();
  const BodyWrites enough{{0, 1}, 1}, too_much{{0, 1}, 64};
  AllowMore(Bytes(3) - 1);
  EXPECT_EQ(ReasonOf(Begin(child, 4, enough).status()), Reason::kTenantQuota);
  AllowAll();
  EXPECT_EQ(ReasonOf(Begin(child, 256, too_much).status()), Reason::kPoolFull);
  EXPECT_EQ(cache_.pool_bytes(), before);
  EXPECT_FALSE(cache_.reclaim_pending());
  for (const SequenceId id : {parent, child}) {
    EXPECT_FALSE(Find(id).step_open());
    EXPECT_EQ(Body(id), body);
    EXPECT_EQ(BodyScores(id), scores);
  }
}

TEST_P(CacheBodyTest, UndoGivesBackTheNewBlocksOfBodyAndTail) {
  const SequenceId id = CreateSequence();
  Insert(id, 8, {0, 1}, 8);
  const std::vector<BlockId> body = Body(id);
  const std::vector<PageId> scores = BodyScores(id);
  Settle();
  const BodyWrites writes{{1, 2, 3}, 3};
  ASSERT_TRUE(Begin(id, 9, writes).ok());
  EXPECT_THAT(Body(id), SizeIs(4));
  EXPECT_EQ(InUse(), Bytes(7));
  cache_.UndoStep(id);
  EXPECT_EQ(Body(id), body);
  EXPECT_EQ(BodyScores(id), scores);
  EXPECT_THAT(Blocks(id), IsEmpty());
  EXPECT_THAT(TailScores(id), IsEmpty());
  EXPECT_EQ(Find(id).body_slots(), 8);
  Settle();
  EXPECT_EQ(InUse(), Bytes(2));
}

TEST_P(CacheBodyTest, UndoOfTheFirstStepLeavesNothing) {
  const SequenceId id = CreateSequence();
  ASSERT_TRUE(Begin(id, 8, {{0, 1}, 2}).ok());
  cache_.UndoStep(id);
  EXPECT_THAT(Body(id), IsEmpty());
  EXPECT_FALSE(Find(id).body_scores().has_value());
  Settle();
  EXPECT_EQ(InUse(), 0);
  // It may begin anew.
  Insert(id, 8, {0, 1}, 8);
  EXPECT_THAT(Body(id), SizeIs(2));
}

TEST_P(CacheBodyTest, UndoKeepsCopies) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  Settle();
  const absl::StatusOr<StepGrant> grant = Begin(child, 4, {{1, 2}, 1});
  ASSERT_TRUE(grant.ok()) << grant.status();
  const BlockId copy = grant->entries[0].body_copies[0].destination;
  cache_.UndoStep(child);
  EXPECT_THAT(Body(child), ElementsAre(Body(parent)[0], copy));
  EXPECT_EQ(BodyScores(child).size(), GetParam() ? 2u : 0u);
  Settle();
  EXPECT_EQ(InUse(), Bytes(3, /*more_scores=*/1));
  EXPECT_THAT(Insert(child, 4, {1, 2}, 12).body_copies, IsEmpty());
}

TEST_P(CacheBodyTest, OneRunEmptiesTheTail) {
  const SequenceId id = CreateSequence();
  const std::vector<BlockId> before = (Insert(id, 4, {0}, 4), Body(id));
  ASSERT_TRUE(Begin(id, 7, {{0, 1, 2}, 2}).ok());
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {.first_position = 11, .body_slots = 11, .tail_start = 3});
  EXPECT_EQ(Find(id).length(), 11);
  EXPECT_EQ(Find(id).tail_first_position(), 11);
  EXPECT_EQ(Find(id).rollback_floor(), 11);
  EXPECT_EQ(Find(id).tail_start(), 0);
  EXPECT_THAT(Blocks(id), IsEmpty());
  EXPECT_THAT(TailScores(id), IsEmpty());
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(11, 11));
  Settle();
  EXPECT_EQ(InUse(), Bytes(3));
}

TEST_P(CacheBodyTest, WhatStaysPendingOfOneRunKeepsItsPlace) {
  const SequenceId id = CreateSequence();
  ASSERT_TRUE(Begin(id, 6, {{}, 2}).ok());
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {});
  EXPECT_EQ(cache_.CheckInvariants(), "");
  const std::vector<BlockId> tail = Blocks(id);
  const std::vector<PageId> scores = TailScores(id);
  ASSERT_TRUE(Begin(id, 3, {{}, 1}).ok());
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {});
  ASSERT_THAT(Blocks(id), SizeIs(3));
  EXPECT_THAT(Blocks(id), ElementsAre(tail[0], tail[1], Blocks(id)[2]));
  EXPECT_TRUE(std::equal(scores.begin(), scores.end(), TailScores(id).begin()));
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(9, 9));
  EXPECT_EQ(InUse(), Bytes(3));
  EXPECT_FALSE(cache_.reclaim_pending());
}

TEST_P(CacheBodyTest, SeveralRunsUseTheBlocksBehindTheOldTailAgain) {
  const SequenceId id = CreateSequence();
  ASSERT_TRUE(Begin(id, 3, {{}, 1}).ok());
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {});
  // A run ends the chunk in block 0, two of five and six tokens follow in blocks 1 and 2.
  ASSERT_TRUE(Begin(id, 12, {{0, 1, 2}, 2}).ok());
  EXPECT_EQ(cache_.CheckInvariants(), "");
  const std::vector<BlockId> blocks = Blocks(id);
  const std::vector<PageId> scores = TailScores(id);
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {.first_position = 9, .body_slots = 9, .first_block = 1});
  EXPECT_THAT(Blocks(id), ElementsAre(blocks[1], blocks[2]));
  EXPECT_EQ(TailScores(id), Slice(scores, 1, 3));
  EXPECT_EQ(Find(id).used_tail_slots(), 6);
  EXPECT_THAT(cache_.KeptSlots(id), ElementsAre(15, 15));
  Settle();
  EXPECT_EQ(InUse(), Bytes(5));
  EXPECT_FALSE(Begin(id, 2, {{}, 0})->entries[0].copy.has_value());
}

TEST_P(CacheBodyTest, BlocksBehindWhatStaysPendingGo) {
  const SequenceId id = CreateSequence();
  // Runs of nine tokens and of two in the same blocks.
  ASSERT_TRUE(Begin(id, 11, {{0, 1, 2}, 3}).ok());
  const std::vector<BlockId> blocks = Blocks(id);
  const std::vector<PageId> scores = TailScores(id);
  cache_.CloseStep(id);
  cache_.MoveIntoBody(id, {.first_position = 9, .body_slots = 9});
  EXPECT_THAT(Blocks(id), ElementsAre(blocks[0]));
  EXPECT_EQ(TailScores(id), Slice(scores, 0, 1));
  Settle();
  EXPECT_EQ(InUse(), Bytes(4));
  // The pending tokens go to a fork with the block that they lie in.
  const SequenceId child = Fork(id);
  const StepEntryGrant grant = Begin(child, 1, {{}, 0})->entries[0];
  ASSERT_TRUE(grant.copy.has_value());
  EXPECT_EQ(grant.copy->source, blocks[0]);
  EXPECT_EQ(grant.copy->slots, 2);
}

TEST_P(CacheBodyTest, AMoveLeavesAForksTailAsItIs) {
  const SequenceId parent = CreateSequence();
  ASSERT_TRUE(Begin(parent, 6, {{}, 2}).ok());
  cache_.CloseStep(parent);
  cache_.MoveIntoBody(parent, {});
  const std::vector<BlockId> tail = Blocks(parent);
  const std::vector<PageId> scores = TailScores(parent);
  const SequenceId child = Fork(parent);
  const absl::StatusOr<StepGrant> grant = Begin(child, 2, {{0, 1}, 0});
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(grant->entries[0].copy->source, tail[1]);
  EXPECT_EQ(grant->entries[0].scores_source, Find(parent).scores());
  End(child, 8);
  Settle();
  EXPECT_EQ(Blocks(parent), tail);
  EXPECT_EQ(TailScores(parent), scores);
  EXPECT_EQ(InUse(), Bytes(4));
  EXPECT_EQ(cache_.BytesAlone(parent), Bytes(2));
}

TEST_P(CacheBodyTest, CountsWhereASequencesMemoryIsCounted) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  EXPECT_FALSE(cache_.MayShare(parent));
  EXPECT_THAT(cache_.KeptSlots(parent), ElementsAre(8, 8));
  EXPECT_EQ(cache_.HeldBytes(parent), Bytes(2));
  EXPECT_EQ(cache_.BytesAlone(parent), Bytes(2));
  const SequenceId child = Fork(parent);
  Insert(child, 4, {1, 2}, 12);
  EXPECT_TRUE(cache_.MayShare(child));  // block 0
  EXPECT_FALSE(cache_.MayShareBlock(Body(child)[1]));
  EXPECT_THAT(cache_.KeptSlots(child), ElementsAre(12, 12));
  EXPECT_EQ(cache_.HeldBytes(child), Bytes(3));
  EXPECT_EQ(cache_.BytesAlone(child), Bytes(2, /*more_scores=*/1));
}

TEST_P(CacheBodyTest, GoesWhenTheLastThatHasItIsFreed) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  ASSERT_TRUE(cache_.Free(parent).ok());
  Settle();
  EXPECT_EQ(InUse(), Bytes(2));
  EXPECT_EQ(cache_.BytesAlone(child), Bytes(2));
  EXPECT_THAT(Insert(child, 4, {0, 1}, 8).body_copies, IsEmpty());
  ASSERT_TRUE(cache_.Free(child).ok());
  Settle();
  EXPECT_EQ(InUse(), 0);
}

TEST_P(CacheBodyTest, WhatAForkGaveUpIsCopiedUntilItIsReclaimed) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 4, {0}, 4);
  Settle();
  const SequenceId child = Fork(parent);
  ASSERT_TRUE(cache_.Free(child).ok());
  const BlockId before = Body(parent)[0];
  EXPECT_EQ(Insert(parent, 4, {0}, 4).body_copies[0].source, before);
  Settle();
  EXPECT_EQ(InUse(), Bytes(1));
  EXPECT_THAT(Insert(parent, 4, {0}, 4).body_copies, IsEmpty());
}

TEST_P(CacheBodyTest, WhatAnotherEntryDropsServesIt) {
  const SequenceId parent = CreateSequence(), plain = CreatePlain();
  Insert(parent, 4, {0}, 4);
  const SequenceId child = Fork(parent);
  Append(plain, 16);
  Settle();
  // Of the four blocks that one drops three serve a copy, a new block and the tail.
  const BodyWrites writes{{0, 1}, 1};
  const StepEntryRequest entries[] = {Entry(child, 4, writes), {plain, 0, 1}};
  AllowMore(Bytes(0, /*more_scores=*/3));
  EXPECT_EQ(cache_.MissingBytes(entries, DroppedPages::kStillRead), 4 * kBlockBytes);
  EXPECT_EQ(ReasonOf(cache_.BeginStep(entries, DroppedPages::kStillRead).status()),
            Reason::kTenantQuota);
  EXPECT_EQ(Find(plain).length(), 16);
  EXPECT_EQ(cache_.MissingBytes(entries), 0);
  EXPECT_EQ(cache_.NeedsPages(entries), GetParam());
  const int64_t before = InUse();
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries);
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(InUse() - before, Bytes(0, /*more_scores=*/3));
  End(child, 8);
}

TEST_P(CacheBodyTest, PagesThatAreStillReadAreNotAmongThoseItGets) {
  const SequenceId id = CreateSequence(), plain = CreatePlain();
  Append(plain, 8);
  std::vector<PageId> read;
  for (const size_t block : {0u, 1u}) {
    for (const size_t row : {0u, 1u}) read.push_back(Page(plain, block, row));
  }
  const BodyWrites writes{{0, 1}, 2};
  const StepEntryRequest entries[] = {Entry(id, 8, writes), {plain, 0, 1}};
  ASSERT_TRUE(cache_.BeginStep(entries, DroppedPages::kStillRead).ok());
  for (const BlockId block : Body(id)) {
    for (const PageId page : cache_.BlockPages(block)) {
      EXPECT_EQ(std::count(read.begin(), read.end(), page), 0);
    }
  }
  Settle();
  EXPECT_EQ(InUse(), Bytes(4) + kBlockBytes);
  End(id, 8);
}

TEST_P(CacheBodyTest, OfALostSequenceGoesWithIt) {
  const SequenceId parent = CreateSequence();
  Insert(parent, 8, {0, 1}, 8);
  const SequenceId child = Fork(parent);
  ASSERT_TRUE(Begin(child, 4, {{1, 2}, 1}).ok());
  cache_.UndoStep(child);
  ASSERT_TRUE(cache_.MarkLost(child).ok());
  EXPECT_EQ(cache_.CheckInvariants(), "");
  ASSERT_TRUE(cache_.Free(child).ok());
  Settle();
  EXPECT_EQ(InUse(), Bytes(2));
}

TEST_P(CacheBodyTest, StaysWhenScoresAreDropped) {
  const SequenceId id = CreateSequence();
  Insert(id, 8, {0, 1}, 8);
  cache_.DropScores(id);
  Settle();
  EXPECT_EQ(InUse(), 2 * kBlockBytes);
  EXPECT_FALSE(Insert(id, 8, {0, 1, 2}, 12).body_scores_source.has_value());
  EXPECT_FALSE(Find(id).body_scores().has_value());
  EXPECT_EQ(cache_.HeldBytes(id), 3 * kBlockBytes);
}

using CacheBodyDeathTest = CacheBodyTest;
INSTANTIATE_TEST_SUITE_P(WithAndWithoutScores, CacheBodyDeathTest, ::testing::Bool());

TEST_P(CacheBodyTest, BlocksWithoutSlotsAreFoundByTheAudit) {
  const SequenceId id = CreateSequence();
  ASSERT_TRUE(Begin(id, 4, {{0}, 1}).ok());
  cache_.CloseStep(id);
  EXPECT_THAT(cache_.CheckInvariants(), HasSubstr("1 blocks of a body for 0 slots"));
  cache_.MoveIntoBody(id, {.first_position = 4, .body_slots = 4});
  EXPECT_EQ(cache_.CheckInvariants(), "");
}

// They would have no page for the blocks that are there.
TEST_P(CacheBodyDeathTest, ScoresCannotBeginWithABodyInPlace) {
  const SequenceId id = CreateSequence();
  Insert(id, 8, {0, 1}, 8);
  cache_.DropScores(id);
  EXPECT_DEATH(cache_.KeepScores(id, chunk_class_), "cannot begin to keep scores");
}

TEST_P(CacheBodyDeathTest, ItsPagesAreReachedWithoutAGap) {
  const SequenceId id = CreateSequence();
  Insert(id, 4, {0}, 4);
  EXPECT_DEATH((void)Begin(id, 4, {{2}, 1}), "page 2 of a body of 1");
  EXPECT_DEATH((void)Begin(id, 4, {{1, 1}, 1}), "page 1 of a body of 1");
  EXPECT_DEATH((void)Begin(id, 4, {{0, 0}, 1}), "page 0 of a body of 1");
}

TEST_P(CacheBodyDeathTest, ItHasNoMoreSlotsThanItsBlocks) {
  const SequenceId id = CreateSequence();
  ASSERT_TRUE(Begin(id, 8, {{0}, 2}).ok());
  EXPECT_DEATH(End(id, 5), "5 slots in 1 blocks");
  EXPECT_DEATH(End(id, 0), "0 slots in 1 blocks");
}

}  // namespace
}  // namespace sluice
