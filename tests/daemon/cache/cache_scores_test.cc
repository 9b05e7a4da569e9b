// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How the memory of a sequence's accumulated scores is held.

#include <gtest/gtest.h>

#include <utility>

#include "tests/daemon/cache/cache_fixture.h"

namespace sluice {
namespace {

class CacheScoresTest : public CacheFixture {
 protected:
  static constexpr int64_t kChunkBytes = 32;
  static constexpr int64_t kBodyBytes = 90;

  SequenceId CreateWithScores() {
    const SequenceId id = Create();
    cache_.KeepScores(id, chunk_class_);
    return id;
  }
  std::vector<PageId> ChunksOf(SequenceId id) {
    const std::span<const PageId> pages = cache_.BlockPages(*cache_.Find(id)->scores());
    return {pages.begin(), pages.end()};
  }
  // A job that keeps one slot of each row below `snapshot`.
  void Compress(SequenceId id, int64_t snapshot) {
    ASSERT_TRUE(cache_.PlanJob(id, snapshot).ok());
    absl::StatusOr<JobPages> pages = cache_.AllocateJobPages(id, 2, body_class_);
    ASSERT_TRUE(pages.ok()) << pages.status();
    cache_.CommitJob(id, {{{0, 1}, {1, 1}}, std::move(pages->pages)});
  }

  const SizeClassId chunk_class_ = cache_.AddSizeClass(8, kChunkBytes, 1);
  const SizeClassId body_class_ = cache_.AddSizeClass(4, kBodyBytes, 1);
};

TEST_F(CacheScoresTest, GrowByAPageABlock) {
  const SequenceId id = CreateWithScores();
  EXPECT_TRUE(ChunksOf(id).empty());
  EXPECT_FALSE(Append(id, 5).scores_source.has_value());
  const std::vector<PageId> first = ChunksOf(id);
  EXPECT_EQ(first.size(), 2u);
  Append(id, 3);
  EXPECT_EQ(ChunksOf(id), first);
  EXPECT_EQ(cache_.HeldBytes(id), 2 * (kBlockBytes + kChunkBytes));
  EXPECT_EQ(cache_.BytesAlone(id), 2 * (kBlockBytes + kChunkBytes));
  EXPECT_EQ(cache_.tenants().usage(tenant_).bytes, 2 * (kBlockBytes + kChunkBytes));
  Settle();
}

TEST_F(CacheScoresTest, OfAForkAreCopiedWholeByWhoWritesFirst) {
  const SequenceId parent = CreateWithScores();
  Append(parent, 8);
  const BlockId shared = *cache_.Find(parent)->scores();
  const SequenceId child = *cache_.Fork(parent);
  EXPECT_TRUE(cache_.MayShare(child));
  EXPECT_EQ(Append(child, 1).scores_source, shared);
  EXPECT_EQ(ChunksOf(child).size(), 3u);
  EXPECT_EQ(*cache_.Find(parent)->scores(), shared);
  EXPECT_FALSE(Append(parent, 1).scores_source.has_value());
  Settle();
}

TEST_F(CacheScoresTest, OneOfTwoForksOfAStepNeedsNoCopy) {
  const SequenceId parent = CreateWithScores();
  Append(parent, 8);
  const SequenceId child = *cache_.Fork(parent);
  const StepEntryRequest entries[] = {{parent, 8, 1}, {child, 8, 1}};
  const int64_t before = cache_.pool_bytes().in_use;
  const absl::StatusOr<StepGrant> grant = cache_.BeginStep(entries);
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_TRUE(grant->entries[0].scores_source.has_value());
  EXPECT_FALSE(grant->entries[1].scores_source.has_value());
  EXPECT_EQ(cache_.pool_bytes().in_use - before, 2 * kBlockBytes + 4 * kChunkBytes);
}

TEST_F(CacheScoresTest, AreAdmittedLikePages) {
  // 32 blocks of 200 bytes take all slabs that a step may have.
  const SequenceId plain = Create();
  const SequenceId scored = CreateWithScores();
  const StepEntryRequest most{plain, 0, 4 * 32};
  EXPECT_EQ(cache_.MissingBytes({&most, 1}), 0);
  const StepEntryRequest with_scores{scored, 0, 4 * 32};
  EXPECT_GT(cache_.MissingBytes({&with_scores, 1}), 0);
  EXPECT_EQ(ReasonOf(cache_.BeginStep({&with_scores, 1}).status()), Reason::kPoolFull);
  EXPECT_TRUE(ChunksOf(scored).empty());
}

TEST_F(CacheScoresTest, CountAgainstTheTenantsMaximum) {
  cache_.tenants().SetLimits(tenant_, {.max_bytes = kBlockBytes});
  const SequenceId id = CreateWithScores();
  EXPECT_EQ(ReasonOf(Begin(id, 1).status()), Reason::kTenantQuota);
  cache_.tenants().SetLimits(tenant_, {.max_bytes = kBlockBytes + kChunkBytes});
  EXPECT_TRUE(Begin(id, 1).ok());
}

TEST_F(CacheScoresTest, OfAnUndoneStepsBlocksGo) {
  const SequenceId id = CreateWithScores();
  Append(id, 3);
  ASSERT_TRUE(Begin(id, 6).ok());
  EXPECT_EQ(ChunksOf(id).size(), 3u);
  cache_.UndoStep(id);
  EXPECT_EQ(ChunksOf(id).size(), 1u);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + kChunkBytes);
}

TEST_F(CacheScoresTest, ACommitBringsThoseOfTheNewBody) {
  const SequenceId id = CreateWithScores();
  Append(id, 10);
  const std::vector<PageId> before = ChunksOf(id);
  Compress(id, 9);
  EXPECT_EQ(ChunksOf(id), std::vector<PageId>{before[2]});
  ASSERT_TRUE(cache_.Find(id)->body_scores().has_value());
  const PageId first = cache_.BlockPages(*cache_.Find(id)->body_scores())[0];
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, kBlockBytes + kChunkBytes + 200 + kBodyBytes);
  Append(id, 4);
  Compress(id, 14);
  EXPECT_TRUE(ChunksOf(id).empty());
  EXPECT_NE(cache_.BlockPages(*cache_.Find(id)->body_scores())[0], first);
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, 200 + kBodyBytes);
}

TEST_F(CacheScoresTest, ACommitLeavesThoseOfAForkAsTheyAre) {
  const SequenceId parent = CreateWithScores();
  Append(parent, 10);
  const std::vector<PageId> before = ChunksOf(parent);
  const SequenceId child = *cache_.Fork(parent);
  Compress(child, 9);
  EXPECT_EQ(ChunksOf(parent), before);
  EXPECT_EQ(ChunksOf(child), std::vector<PageId>{before[2]});
  EXPECT_FALSE(cache_.Find(parent)->body_scores().has_value());
  Settle();
  // The page that both have is written by neither.
  EXPECT_TRUE(Append(child, 1).scores_source.has_value());
  EXPECT_NE(ChunksOf(child)[0], before[2]);
  Settle();
  EXPECT_FALSE(Append(parent, 1).scores_source.has_value());
  Settle();
}

TEST_F(CacheScoresTest, OfAForkedBodyAreCopiedToo) {
  const SequenceId parent = CreateWithScores();
  Append(parent, 8);
  Compress(parent, 8);
  const BlockId body = *cache_.Find(parent)->body_scores();
  const SequenceId child = *cache_.Fork(parent);
  const StepEntryGrant grant = Append(child, 1);
  EXPECT_EQ(grant.body_scores_source, body);
  EXPECT_NE(*cache_.Find(child)->body_scores(), body);
  EXPECT_FALSE(Append(parent, 1).body_scores_source.has_value());
  Settle();
}

TEST_F(CacheScoresTest, APageOfAJobThatIsCancelledGoesBack) {
  const SequenceId id = CreateWithScores();
  Append(id, 8);
  const PoolBytes before = cache_.pool_bytes();
  ASSERT_TRUE(cache_.PlanJob(id, 8).ok());
  ASSERT_TRUE(cache_.AllocateJobPages(id, 0, body_class_)->body_scores.has_value());
  cache_.CancelJob(id);
  Settle();
  EXPECT_EQ(cache_.pool_bytes(), before);
}

TEST_F(CacheScoresTest, AJobsPageForScoresCountsWhenItsPagesAreCounted) {
  const SequenceId id = CreateWithScores();
  Append(id, 4);
  ASSERT_TRUE(cache_.PlanJob(id, 4).ok());
  const int64_t pages = cache_.AvailableJobPages(id, body_class_);
  EXPECT_LT(pages, cache_.AvailableJobPages(id));
  EXPECT_EQ(ReasonOf(cache_.AllocateJobPages(id, pages + 1, body_class_).status()),
            Reason::kPoolFull);
  EXPECT_TRUE(cache_.AllocateJobPages(id, pages, body_class_).ok());
  cache_.CancelJob(id);
  Settle();
}

TEST_F(CacheScoresTest, GoWhenTheyAreDroppedOrTheSequenceIsFreed) {
  const SequenceId dropped = CreateWithScores(), freed = CreateWithScores();
  for (const SequenceId id : {dropped, freed}) {
    Append(id, 8);
    Compress(id, 6);
  }
  cache_.DropScores(dropped);
  cache_.DropScores(dropped);  // has none
  EXPECT_FALSE(cache_.Find(dropped)->scores().has_value());
  ASSERT_TRUE(cache_.Free(freed).ok());
  Settle();
  EXPECT_EQ(cache_.pool_bytes().in_use, cache_.HeldBytes(dropped));
  EXPECT_EQ(cache_.HeldBytes(dropped), kBlockBytes + 200);
}

}  // namespace
}  // namespace sluice
