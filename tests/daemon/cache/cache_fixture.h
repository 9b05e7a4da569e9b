// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "daemon/base/reason.h"
#include "daemon/cache/cache.h"

namespace sluice {

// A pool of ten slabs, each of eight pages of 100 bytes, two slabs of them the job
// reserve; sequences of two rows and pages of four slots.
class CacheFixture : public ::testing::Test {
 protected:
  static constexpr int64_t kBlockBytes = 200;
  static constexpr LaneTickets kStart{};

  SequenceId Create() { return *cache_.CreateSequence(geometry_, tenant_); }

  absl::StatusOr<StepGrant> Begin(SequenceId id, int32_t tokens) {
    const StepEntryRequest entry{id, cache_.Find(id)->length(), tokens};
    return cache_.BeginStep({&entry, 1});
  }

  // A step that grants and closes; what it granted.
  StepEntryGrant Append(SequenceId id, int32_t tokens) {
    const absl::StatusOr<StepGrant> grant = Begin(id, tokens);
    EXPECT_TRUE(grant.ok()) << grant.status();
    cache_.CloseStep(id);
    return grant->entries[0];
  }

  // Drops everything queued and lets the lanes pass.
  void Settle() {
    while (cache_.ReclaimSlice(1000, kStart).more) {
    }
    EXPECT_FALSE(cache_.Passed(kStart, 100000));
    EXPECT_EQ(cache_.CheckInvariants(), "");
  }

  const std::vector<BlockId>& Blocks(SequenceId id) { return cache_.Find(id)->blocks(); }
  PageId Page(SequenceId id, size_t block, size_t row) {
    return cache_.BlockPages(Blocks(id)[block])[row];
  }

  static Reason ReasonOf(const absl::Status& status) {
    const std::optional<Refusal> refusal = RefusalOf(status);
    EXPECT_TRUE(refusal.has_value()) << status;
    return refusal ? refusal->reason : Reason::kOverloaded;
  }

  Cache cache_{{.slab_count = 10, .slab_bytes = 800, .job_reserve_bytes = 1600}};
  TenantId tenant_ = cache_.tenants().Add({});
  CacheGeometry geometry_{
      .row_count = 2, .page_size = 4, .size_class = cache_.AddSizeClass(8, 100)};
};

}  // namespace sluice
