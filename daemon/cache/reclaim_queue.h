// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <variant>
#include <vector>

#include "daemon/cache/block.h"
#include "daemon/cache/bodies.h"
#include "daemon/cache/ids.h"
#include "daemon/cache/page_pool.h"
#include "daemon/cache/tenant_ledger.h"

namespace sluice {

// What a slice of reclaiming did.
struct Reclaimed {
  bool more = false;  // call again
  // Their ids will be used again: the caller drops what it keeps for them.
  std::vector<BlockId> blocks;
  std::vector<BodiesId> bodies;
};

// Counts on blocks, bodies and pages that were given up and are dropped in slices,
// so that to free a long sequence costs its caller nothing.
//
// Not thread-safe: owned by the engine thread.
class ReclaimQueue {
 public:
  // The tables and the pool must outlive the queue.
  ReclaimQueue(PagePool* pool, TenantLedger* tenants, BlockTable* blocks, BodiesTable* bodies);

  // Each takes over one count of what it is given; nothing is dropped yet.
  void DropBlocks(std::vector<BlockId> blocks);
  void DropBodies(BodiesId bodies);
  // Pages in use, of one class and tenant, that were a block's.
  void DropPages(std::vector<PageId> pages, TenantId tenant, SizeClassId size_class);
  void DropReservedPages(std::vector<PageId> pages);

  // Drops counts until about `max_pages` pages were touched (one block's more at
  // most). `newest`: the last operation submitted to each lane.
  Reclaimed Slice(int64_t max_pages, const LaneTickets& newest);

  bool empty() const { return items_.empty(); }

  // What was queued ever, and how much of that is through: what was queued when
  // queued_count() was n is through when passed_count() >= n.
  int64_t queued_count() const { return queued_count_; }
  int64_t passed_count() const { return queued_count_ - static_cast<int64_t>(items_.size()); }
  // Bytes that come back at most. O(things queued, not their pages).
  int64_t MostBytes() const;

  // Every count that is queued, for an audit: blocks and bodies once a count.
  struct Queued {
    std::vector<BlockId> blocks;
    std::vector<BodiesId> bodies;
    std::vector<PageId> used_pages;
    std::vector<PageId> reserved_pages;
  };
  Queued ListQueued() const;

 private:
  struct Blocks {
    std::vector<BlockId> ids;
    size_t next = 0;
  };
  struct Pages {
    std::vector<PageId> ids;
    size_t next = 0;
    bool reserved = false;
    TenantId tenant;        // unless reserved
    SizeClassId size_class;  // unless reserved
  };
  using Item = std::variant<Blocks, BodiesId, Pages>;

  // Each returns about how many pages it touched, and queues what is left first.
  int64_t Work(Item& item, int64_t max_pages, const LaneTickets& newest, Reclaimed& out);
  int64_t Work(Blocks& item, int64_t max_pages, const LaneTickets& newest, Reclaimed& out);
  int64_t Work(BodiesId item, Reclaimed& out);
  int64_t Work(Pages& item, int64_t max_pages, const LaneTickets& newest);
  int64_t DropBlock(BlockId id, const LaneTickets& newest, Reclaimed& out);
  int64_t MostBytes(const Item& item) const;

  PagePool* const pool_;
  TenantLedger* const tenants_;
  BlockTable* const blocks_;
  BodiesTable* const bodies_;
  std::deque<Item> items_;
  int64_t queued_count_ = 0;
};

}  // namespace sluice
