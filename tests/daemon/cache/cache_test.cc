// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cache/cache_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CacheTest : public CacheFixture {};

TEST_F(CacheTest, AStepAllocatesTheBlocksOfItsTokens) {
  const SequenceId id = Create();
  EXPECT_EQ(Append(id, 9).new_block_count, 3);
  EXPECT_EQ(Append(id, 3).new_block_count, 0);
  EXPECT_EQ(Append(id, 1).new_block_count, 1);
  EXPECT_EQ(cache_.Find(id)->length(), 13);
  EXPECT_EQ(cache_.pool_bytes().in_use, 4 * kBlockBytes);
}

TEST_F(CacheTest, TokensCountWhenTheStepCloses) {
  const SequenceId id = Create();
  ASSERT_TRUE(Begin(id, 5).ok());
  EXPECT_EQ(cache_.Find(id)->length(), 0);
  EXPECT_EQ(cache_.Find(id)->step_token_count(), 5);
  cache_.CloseStep(id);
  EXPECT_EQ(cache_.Find(id)->length(), 5);
  EXPECT_FALSE(cache_.Find(id)->step_open());
}

TEST_F(CacheTest, UndoFreesTheBlocksOfTheStepAlone) {
  const SequenceId id = Create();
  Append(id, 5);
  ASSERT_TRUE(Begin(id, 8).ok());
  cache_.UndoStep(id);
  Settle();
  EXPECT_EQ(cache_.Find(id)->length(), 5);
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * kBlockBytes);
}

TEST_F(CacheTest, AStepIsAllOrNothing) {
  const SequenceId first = Create();
  const SequenceId second = Create();
  const PoolBytes before = cache_.pool_bytes();
  const StepEntryRequest entries[] = {{first, 0, 4}, {second, 0, 4 * 40}};
  const absl::Status refused = cache_.BeginStep(entries).status();
  EXPECT_EQ(ReasonOf(refused), Reason::kPoolFull);
  EXPECT_THAT(refused.message(), HasSubstr("1800 bytes short"));  // 41 blocks where 32 fit
  EXPECT_EQ(cache_.MissingBytes(entries), 1800);
  EXPECT_THAT(cache_.EntriesWithRoom(entries), ElementsAre(0));
  EXPECT_EQ(cache_.pool_bytes(), before);
  EXPECT_FALSE(cache_.Find(first)->step_open());
}

TEST_F(CacheTest, AStepWithinThePoolButBeyondTheTenantsMaximumIsRefused) {
  cache_.tenants().SetLimits(tenant_, {.max_bytes = 2 * kBlockBytes});
  const SequenceId id = Create();
  EXPECT_EQ(ReasonOf(Begin(id, 9).status()), Reason::kTenantQuota);
  EXPECT_EQ(cache_.AvailableBytes(tenant_), 2 * kBlockBytes);
  EXPECT_TRUE(Begin(id, 8).ok());
  EXPECT_EQ(cache_.AvailableBytes(tenant_), 0);
}

TEST_F(CacheTest, AWrongEntryIsRefusedByName) {
  const SequenceId id = Create();
  Append(id, 3);
  const auto refusal = [&](SequenceId sequence, int64_t base, int32_t tokens) {
    const StepEntryRequest entry{sequence, base, tokens};
    return *RefusalOf(cache_.BeginStep({&entry, 1}).status());
  };
  EXPECT_EQ(refusal(id, 4, 1).reason, Reason::kLengthMismatch);
  EXPECT_EQ(refusal(id, 4, 1).field, "entries[0].base_length");
  EXPECT_EQ(refusal(id, 3, 0).field, "entries[0].token_count");
  EXPECT_EQ(refusal(id, 3, INT32_MAX).field, "entries[0].token_count");
  EXPECT_EQ(refusal({99}, 0, 1).reason, Reason::kUnknownSequence);
  const StepEntryRequest twice[] = {{id, 3, 1}, {id, 3, 1}};
  EXPECT_EQ(RefusalOf(cache_.BeginStep(twice).status())->field, "entries[1].sequence");
}

TEST_F(CacheTest, WhileAStepIsOpenTheSequenceIsLeftAlone) {
  const SequenceId id = Create();
  ASSERT_TRUE(Begin(id, 1).ok());
  EXPECT_EQ(ReasonOf(Begin(id, 1).status()), Reason::kStepOpen);
  EXPECT_EQ(ReasonOf(cache_.Fork(id).status()), Reason::kStepOpen);
  EXPECT_EQ(ReasonOf(cache_.Free(id)), Reason::kStepOpen);
  EXPECT_EQ(ReasonOf(cache_.Rollback(id, 0)), Reason::kStepOpen);
}

TEST_F(CacheTest, ALostSequenceCanOnlyBeFreed) {
  const SequenceId id = Create();
  Append(id, 2);
  ASSERT_TRUE(cache_.MarkLost(id).ok());
  EXPECT_EQ(ReasonOf(Begin(id, 1).status()), Reason::kSequenceLost);
  EXPECT_EQ(ReasonOf(cache_.Fork(id).status()), Reason::kSequenceLost);
  EXPECT_EQ(ReasonOf(cache_.Rollback(id, 1)), Reason::kSequenceLost);
  EXPECT_EQ(ReasonOf(cache_.PlanJob(id, 1).status()), Reason::kSequenceLost);
  EXPECT_TRUE(cache_.Free(id).ok());
}

TEST_F(CacheTest, AForkTakesNoPageUntilItWritesASharedBlock) {
  const SequenceId parent = Create();
  Append(parent, 6);
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_EQ(cache_.pool_bytes().in_use, 2 * kBlockBytes);
  const StepEntryGrant grant = Append(child, 1);
  ASSERT_TRUE(grant.copy.has_value());
  EXPECT_EQ(grant.copy->source, Blocks(parent)[1]);
  EXPECT_EQ(grant.copy->destination, Blocks(child)[1]);
  EXPECT_EQ(grant.copy->slots, 2);
  EXPECT_EQ(Blocks(child)[0], Blocks(parent)[0]);
  EXPECT_EQ(cache_.pool_bytes().in_use, 3 * kBlockBytes);
}

TEST_F(CacheTest, TheLastHolderWritesASharedBlockInPlace) {
  const SequenceId parent = Create();
  Append(parent, 6);
  const SequenceId child = *cache_.Fork(parent);
  const StepEntryRequest both[] = {{parent, 6, 1}, {child, 6, 1}};
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(both);
  ASSERT_TRUE(grant.ok());
  EXPECT_TRUE(grant->entries[0].copy.has_value());
  EXPECT_FALSE(grant->entries[1].copy.has_value());
  EXPECT_THAT(grant->new_blocks, SizeIs(1));
}

TEST_F(CacheTest, ABlockMayBeSharedFromTheForkUntilOneHolderHasACopy) {
  const SequenceId parent = Create();
  Append(parent, 6);
  const BlockId block = Blocks(parent)[1];
  EXPECT_FALSE(cache_.MayShareBlock(block));
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_TRUE(cache_.MayShareBlock(block));
  Append(child, 1);
  EXPECT_FALSE(cache_.MayShareBlock(block));
  EXPECT_FALSE(cache_.MayShareBlock(Blocks(child)[1]));
}

TEST_F(CacheTest, AFullSharedBlockIsNotCopiedByAnAppend) {
  const SequenceId parent = Create();
  Append(parent, 4);
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_FALSE(Append(child, 1).copy.has_value());
}

TEST_F(CacheTest, ARollbackIntoASharedFullBlockCopiesItsKeptSlots) {
  const SequenceId parent = Create();
  Append(parent, 8);
  const SequenceId child = *cache_.Fork(parent);
  ASSERT_TRUE(cache_.Rollback(child, 3).ok());
  EXPECT_THAT(Blocks(child), SizeIs(1));
  const StepEntryGrant grant = Append(child, 1);
  ASSERT_TRUE(grant.copy.has_value());
  EXPECT_EQ(grant.copy->source, Blocks(parent)[0]);
  EXPECT_EQ(grant.copy->slots, 3);
}

TEST_F(CacheTest, ARollbackIntoABlockOfItsOwnWritesItInPlace) {
  const SequenceId id = Create();
  Append(id, 8);
  const BlockId first = Blocks(id)[0];
  ASSERT_TRUE(cache_.Rollback(id, 3).ok());
  EXPECT_FALSE(Append(id, 1).copy.has_value());
  EXPECT_THAT(Blocks(id), ElementsAre(first));
  EXPECT_EQ(ReasonOf(cache_.Rollback(id, 5)), Reason::kLengthMismatch);
}

TEST_F(CacheTest, WhatARollbackDropsServesItsStepAtOnce) {
  const SequenceId id = Create(), other = Create();
  Append(id, 14);
  Append(other, 112);  // the pool's last block
  const StepEntryRequest entry{id, 6, 8};
  EXPECT_FALSE(cache_.NeedsPages({&entry, 1}));
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep({&entry, 1});
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(grant->entries[0].base_length, 6);
  EXPECT_EQ(grant->entries[0].new_block_count, 2);
  EXPECT_EQ(cache_.AvailableBytes(tenant_), 0);
  Settle();
  EXPECT_EQ(cache_.tenants().usage(tenant_).bytes, 32 * kBlockBytes);
  cache_.CloseStep(id);
  EXPECT_EQ(cache_.Find(id)->length(), 14);
}

TEST_F(CacheTest, WhatOneEntryDropsServesAnother) {
  const SequenceId id = Create(), other = Create();
  Append(id, 16);
  Append(other, 112);
  const StepEntryRequest entries[] = {{other, 112, 5}, {id, 5, 1}};
  EXPECT_EQ(cache_.MissingBytes(entries), 0);
  EXPECT_TRUE(cache_.BeginStep(entries).ok());
  EXPECT_EQ(Blocks(other).size(), 30u);
  EXPECT_EQ(Blocks(id).size(), 2u);
  Settle();
}

TEST_F(CacheTest, ARefusedStepRollsNothingBack) {
  const SequenceId id = Create(), other = Create();
  Append(id, 16);
  Append(other, 112);
  const StepEntryRequest entries[] = {{id, 5, 1}, {other, 112, 12}};
  EXPECT_EQ(cache_.MissingBytes(entries), kBlockBytes);
  EXPECT_EQ(ReasonOf(cache_.BeginStep(entries).status()), Reason::kPoolFull);
  EXPECT_EQ(cache_.Find(id)->length(), 16);
  EXPECT_EQ(Blocks(id).size(), 4u);
  EXPECT_FALSE(cache_.reclaim_pending());
}

TEST_F(CacheTest, WhatForksShareServesOnlyWhenAllOfThemDropIt) {
  const SequenceId parent = Create();
  Append(parent, 16);
  const SequenceId child = *cache_.Fork(parent), other = Create();
  Append(other, 112);
  const StepEntryRequest one[] = {{parent, 8, 1}};
  EXPECT_EQ(cache_.MissingBytes(one), kBlockBytes);
  const StepEntryRequest both[] = {{parent, 8, 1}, {child, 8, 1}};
  EXPECT_EQ(cache_.MissingBytes(both), 0);
  EXPECT_TRUE(cache_.BeginStep(both).ok());
  Settle();
}

TEST_F(CacheTest, PagesThatAreStillReadServeNoStep) {
  const SequenceId id = Create(), other = Create();
  Append(id, 16);
  Append(other, 112);
  const StepEntryRequest entry{id, 8, 1};
  EXPECT_EQ(cache_.MissingBytes({&entry, 1}, DroppedPages::kStillRead), kBlockBytes);
  EXPECT_FALSE(cache_.BeginStep({&entry, 1}, DroppedPages::kStillRead).ok());
  EXPECT_EQ(cache_.Find(id)->length(), 16);
}

TEST_F(CacheTest, FreedPagesComeBackInSlicesOnceTheLanesHavePassed) {
  const SequenceId id = Create();
  Append(id, 12);
  const std::vector<BlockId> blocks = Blocks(id);
  ASSERT_TRUE(cache_.Free(id).ok());
  EXPECT_EQ(cache_.Find(id), nullptr);
  EXPECT_EQ(cache_.pool_bytes().in_use, 3 * kBlockBytes);
  const LaneTickets newest{.foreground = 4, .background = 1};
  const Reclaimed first = cache_.ReclaimSlice(3, newest);  // a block's pages stay together
  EXPECT_TRUE(first.more);
  EXPECT_THAT(first.blocks, ElementsAre(blocks[0], blocks[1]));
  EXPECT_THAT(cache_.ReclaimSlice(3, newest).blocks, ElementsAre(blocks[2]));
  EXPECT_EQ(cache_.pool_bytes().retired, 3 * kBlockBytes);
  cache_.Passed({.foreground = 4, .background = 1}, 100);
  EXPECT_EQ(cache_.pool_bytes().retired, 0);
}

TEST_F(CacheTest, BytesAloneLeavesOutWhatOthersHold) {
  const SequenceId parent = Create();
  Append(parent, 6);
  EXPECT_EQ(cache_.BytesAlone(parent), 2 * kBlockBytes);
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_EQ(cache_.BytesAlone(parent), 0);
  Append(child, 1);
  EXPECT_EQ(cache_.BytesAlone(parent), kBlockBytes);
  EXPECT_EQ(cache_.HeldBytes(parent), 2 * kBlockBytes);
}

TEST_F(CacheTest, AnIdIsNeverUsedAgain) {
  const SequenceId first = Create();
  ASSERT_TRUE(cache_.Free(first).ok());
  EXPECT_NE(Create(), first);
  EXPECT_EQ(ReasonOf(cache_.Free(first)), Reason::kUnknownSequence);
}

TEST_F(CacheTest, TheLimitOfSequencesHoldsForForksToo) {
  cache_.tenants().SetLimits(tenant_, {.max_sequences = 1});
  const SequenceId id = Create();
  EXPECT_EQ(ReasonOf(cache_.Fork(id).status()), Reason::kTenantQuota);
  EXPECT_EQ(ReasonOf(cache_.CreateSequence(geometry_, tenant_).status()), Reason::kTenantQuota);
}

}  // namespace
}  // namespace sluice
