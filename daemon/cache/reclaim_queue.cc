// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/reclaim_queue.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"

namespace sluice {

ReclaimQueue::ReclaimQueue(PagePool* pool, TenantLedger* tenants, BlockTable* blocks,
                           BodiesTable* bodies)
    : pool_(pool), tenants_(tenants), blocks_(blocks), bodies_(bodies) {}

void ReclaimQueue::DropBlocks(std::vector<BlockId> blocks) {
  if (blocks.empty()) return;
  items_.push_back(Blocks{std::move(blocks)});
  ++queued_count_;
}

void ReclaimQueue::DropBodies(BodiesId bodies) {
  items_.push_back(bodies);
  ++queued_count_;
}

void ReclaimQueue::DropPages(std::vector<PageId> pages, TenantId tenant,
                             SizeClassId size_class) {
  if (pages.empty()) return;
  items_.push_back(Pages{.ids = std::move(pages), .tenant = tenant, .size_class = size_class});
  ++queued_count_;
}

void ReclaimQueue::DropReservedPages(std::vector<PageId> pages) {
  if (pages.empty()) return;
  items_.push_back(
      Pages{.ids = std::move(pages), .reserved = true, .tenant = {}, .size_class = {}});
  ++queued_count_;
}

int64_t ReclaimQueue::MostBytes() const {
  int64_t bytes = 0;
  for (const Item& item : items_) bytes += MostBytes(item);
  return bytes;
}

// What is queued together is of one size class.
int64_t ReclaimQueue::MostBytes(const Item& item) const {
  const auto bytes_of = [this](const std::vector<PageId>& pages) {
    return pages.empty() ? 0 : static_cast<int64_t>(pages.size()) * pool_->bytes_of(pages[0]);
  };
  if (const auto* blocks = std::get_if<Blocks>(&item)) {
    return static_cast<int64_t>(blocks->ids.size() - blocks->next) *
           bytes_of((*blocks_)[blocks->ids[blocks->next]].pages);
  }
  if (const auto* pages = std::get_if<Pages>(&item)) {
    return static_cast<int64_t>(pages->ids.size() - pages->next) *
           pool_->bytes_of(pages->ids[pages->next]);
  }
  return bytes_of((*bodies_)[std::get<BodiesId>(item)].pages);
}

Reclaimed ReclaimQueue::Slice(int64_t max_pages, const LaneTickets& newest) {
  Reclaimed out;
  while (max_pages > 0 && !items_.empty()) {
    // Taken out, since work on it may queue what it held.
    Item item = std::move(items_.front());
    items_.pop_front();
    max_pages -= Work(item, max_pages, newest, out);
  }
  out.more = !items_.empty();
  return out;
}

int64_t ReclaimQueue::Work(Item& item, int64_t max_pages, const LaneTickets& newest,
                           Reclaimed& out) {
  if (auto* blocks = std::get_if<Blocks>(&item)) return Work(*blocks, max_pages, newest, out);
  if (auto* pages = std::get_if<Pages>(&item)) return Work(*pages, max_pages, newest);
  return Work(std::get<BodiesId>(item), out);
}

int64_t ReclaimQueue::Work(Blocks& item, int64_t max_pages, const LaneTickets& newest,
                           Reclaimed& out) {
  int64_t touched = 0;
  while (touched < max_pages && item.next < item.ids.size()) {
    touched += DropBlock(item.ids[item.next++], newest, out);
  }
  if (item.next < item.ids.size()) items_.push_front(std::move(item));
  return touched;
}

int64_t ReclaimQueue::DropBlock(BlockId id, const LaneTickets& newest, Reclaimed& out) {
  Block& block = (*blocks_)[id];
  SLUICE_CHECK(block.references > 0) << "block " << id.value;
  if (--block.references > 0) {
    // The other holders may write only what no body has taken over.
    const auto is_in_body = [&](PageId page) { return pool_->reference_count(page) > 1; };
    block.may_share_pages = block.may_share_pages || std::any_of(block.pages.begin(),
                                                               block.pages.end(), is_in_body);
    return static_cast<int64_t>(block.pages.size());
  }
  const int64_t retired = pool_->Release(block.pages, newest);
  tenants_->ChargeBytes(block.tenant, -retired * pool_->page_bytes(block.size_class));
  blocks_->Remove(id);
  out.blocks.push_back(id);
  return static_cast<int64_t>(block.pages.size());
}

int64_t ReclaimQueue::Work(BodiesId id, Reclaimed& out) {
  Bodies& bodies = (*bodies_)[id];
  SLUICE_CHECK(bodies.references > 0) << "bodies " << id.value;
  if (--bodies.references > 0) return 1;
  items_.push_front(Pages{.ids = std::exchange(bodies.pages, {}),
                          .tenant = bodies.tenant,
                          .size_class = bodies.size_class});
  bodies_->Remove(id);
  out.bodies.push_back(id);
  return 1;
}

int64_t ReclaimQueue::Work(Pages& item, int64_t max_pages, const LaneTickets& newest) {
  const auto left = static_cast<int64_t>(item.ids.size() - item.next);
  const int64_t count = std::min(left, max_pages);
  const auto slice = std::span(item.ids).subspan(item.next, static_cast<size_t>(count));
  if (item.reserved) {
    pool_->Discard(slice, newest);
  } else {
    const int64_t retired = pool_->Release(slice, newest);
    tenants_->ChargeBytes(item.tenant, -retired * pool_->page_bytes(item.size_class));
  }
  item.next += static_cast<size_t>(count);
  if (count < left) items_.push_front(std::move(item));
  return count;
}

ReclaimQueue::Queued ReclaimQueue::ListQueued() const {
  Queued queued;
  for (const Item& item : items_) {
    if (const auto* blocks = std::get_if<Blocks>(&item)) {
      queued.blocks.insert(queued.blocks.end(),
                           blocks->ids.begin() + static_cast<std::ptrdiff_t>(blocks->next),
                           blocks->ids.end());
    } else if (const auto* pages = std::get_if<Pages>(&item)) {
      std::vector<PageId>& list = pages->reserved ? queued.reserved_pages : queued.used_pages;
      list.insert(list.end(), pages->ids.begin() + static_cast<std::ptrdiff_t>(pages->next),
                  pages->ids.end());
    } else {
      queued.bodies.push_back(std::get<BodiesId>(item));
    }
  }
  return queued;
}

}  // namespace sluice
