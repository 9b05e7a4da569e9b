// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/cache/block.h"
#include "daemon/cache/bodies.h"
#include "daemon/cache/page_pool.h"
#include "daemon/cache/reclaim_queue.h"
#include "daemon/cache/sequence.h"
#include "daemon/cache/tenant_ledger.h"

namespace sluice {

// Counts everything again from the sequences up and compares: every block and
// bodies object against those that list it, every page against blocks, bodies and
// jobs, every sum against its parts.
//
// Not thread-safe. For tests: O(pages log pages).
class CacheAudit {
 public:
  // All must outlive the audit and stay as they are.
  CacheAudit(const PagePool& pool, const TenantLedger& tenants, const BlockTable& blocks,
             const BodiesTable& bodies);

  void AddSequence(const Sequence& sequence);
  void AddHeld(const std::vector<BlockId>& blocks);  // a count each
  void AddQueued(const ReclaimQueue::Queued& queued);

  // Empty if all agree, else what does not.
  std::string Finish();

 private:
  std::string CheckTail(const Sequence& sequence) const;
  std::string CheckBody(const Sequence& sequence) const;
  std::string CheckScores(const Sequence& sequence) const;
  std::string CheckBlocks();
  std::string CheckBodies();
  std::string CheckUsedPages();
  std::string CheckReservedPages();
  std::string CheckTenants() const;

  const PagePool& pool_;
  const TenantLedger& tenants_;
  const BlockTable& blocks_;
  const BodiesTable& bodies_;
  std::string wrong_;
  std::vector<int32_t> block_counts_;   // by BlockId
  std::vector<int32_t> bodies_counts_;  // by BodiesId
  std::vector<PageId> used_pages_;      // once a reference
  std::vector<PageId> reserved_pages_;
  std::vector<TenantUsage> usage_;      // by TenantId
};

}  // namespace sluice
