// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "tests/daemon/cache/cache_fixture.h"

namespace sluice {

// Sequences whose body steps write in place. Parameter: whether they keep scores.
class CacheBodyTest : public CacheFixture, public ::testing::WithParamInterface<bool> {
 protected:
  static constexpr int64_t kChunkBytes = 32;

  void TearDown() override {
    EXPECT_EQ(cache_.CheckInvariants(), "");
    for (const SequenceId id : created_) {
      if (cache_.Find(id) == nullptr) continue;
      if (cache_.Find(id)->step_open()) cache_.UndoStep(id);
      EXPECT_EQ(cache_.CheckInvariants(), "");
      EXPECT_TRUE(cache_.Free(id).ok());
    }
    Settle();
    EXPECT_EQ(cache_.pool_bytes().in_use, 0);
    EXPECT_EQ(cache_.tenants().usage(tenant_), TenantUsage());
  }

  // One that keeps scores, if the test's do.
  SequenceId CreateSequence() {
    created_.push_back(Create());
    if (GetParam()) cache_.KeepScores(created_.back(), chunk_class_);
    return created_.back();
  }
  SequenceId CreatePlain() {
    created_.push_back(Create());
    return created_.back();
  }
  SequenceId Fork(SequenceId parent) {
    created_.push_back(*cache_.Fork(parent));
    return created_.back();
  }

  StepEntryRequest Entry(SequenceId id, int32_t tokens, const BodyWrites& writes) const {
    return {id, cache_.Find(id)->length(), tokens, {}, &writes};
  }
  absl::StatusOr<StepGrant> Begin(SequenceId id, int32_t tokens, const BodyWrites& writes) {
    const StepEntryRequest entry = Entry(id, tokens, writes);
    return cache_.BeginStep({&entry, 1});
  }
  // Closes the step and moves all tokens into a body of `body_slots`.
  void End(SequenceId id, int64_t body_slots) {
    cache_.CloseStep(id);
    cache_.MoveIntoBody(id, {.first_position = cache_.Find(id)->length(),
                             .body_slots = body_slots});
    EXPECT_EQ(cache_.CheckInvariants(), "");
  }
  // A step that moves its `tokens` into these pages of the body.
  StepEntryGrant Insert(SequenceId id, int32_t tokens, std::vector<int32_t> pages,
                        int64_t body_slots) {
    const BodyWrites writes{std::move(pages), (tokens + 3) / 4};
    const absl::StatusOr<StepGrant> grant = Begin(id, tokens, writes);
    EXPECT_TRUE(grant.ok()) << grant.status();
    EXPECT_EQ(cache_.CheckInvariants(), "");
    End(id, body_slots);
    return grant->entries[0];
  }

  const Sequence& Find(SequenceId id) const { return *cache_.Find(id); }
  std::vector<BlockId> Body(SequenceId id) const { return Find(id).body_blocks(); }
  std::vector<PageId> Scores(std::optional<BlockId> scores) const {
    if (!scores.has_value()) return {};
    const std::span<const PageId> pages = cache_.BlockPages(*scores);
    return {pages.begin(), pages.end()};
  }
  std::vector<PageId> BodyScores(SequenceId id) const { return Scores(Find(id).body_scores()); }
  std::vector<PageId> TailScores(SequenceId id) const { return Scores(Find(id).scores()); }
  // Of pages of scores; none where none are kept.
  static std::vector<PageId> Slice(const std::vector<PageId>& pages, int64_t first, int64_t end) {
    if (!GetParam()) return {};
    return {pages.begin() + first, pages.begin() + end};
  }

  // What so many blocks take, and so many more pages of scores.
  static int64_t Bytes(int64_t blocks, int64_t more_scores = 0) {
    return blocks * kBlockBytes + (GetParam() ? (blocks + more_scores) * kChunkBytes : 0);
  }
  int64_t InUse() const { return cache_.pool_bytes().in_use; }
  void AllowMore(int64_t bytes) {
    cache_.tenants().SetLimits(
        tenant_, {.max_bytes = cache_.tenants().usage(tenant_).bytes + bytes});
  }
  void AllowAll() { cache_.tenants().SetLimits(tenant_, {}); }

  const SizeClassId chunk_class_ = cache_.AddSizeClass(8, kChunkBytes, 1);
  std::vector<SequenceId> created_;
};

}  // namespace sluice
