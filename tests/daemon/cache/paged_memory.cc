// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/daemon/cache/paged_memory.h"

#include "absl/strings/str_cat.h"

namespace sluice {

void PagedMemory::Write(TestLane lane, SlotAddress at, TokenUid token) {
  const LaneReads& other = reads_[1 - static_cast<size_t>(lane)];
  if (error_.empty() && other.slots.contains(at)) {
    error_ = absl::StrCat("page ", at.page.value, ", slot ", at.slot,
                          " is written while the other lane reads it");
  }
  std::vector<TokenUid>& page = pages_[at.page];
  page.resize(static_cast<size_t>(page_size_));
  page[static_cast<size_t>(at.slot)] = token;
}

TokenUid PagedMemory::Read(SlotAddress at) const {
  const auto it = pages_.find(at.page);
  return it == pages_.end() ? 0 : it->second[static_cast<size_t>(at.slot)];
}

void PagedMemory::ClearSlab(SlabId slab) {
  const auto first = pages_.lower_bound(PageId::Make(slab, 0));
  const auto last = pages_.upper_bound(PageId::Make(slab, PageId::kMaxPerSlab - 1));
  for (auto it = first; it != last; ++it) {
    for (int64_t slot = 0; slot < page_size_; ++slot) {
      Write(TestLane::kForeground, {it->first, slot}, 0);
      Write(TestLane::kBackground, {it->first, slot}, 0);
    }
  }
}

void PagedMemory::CopyPage(PageId source, PageId destination, int64_t slots) {
  for (int64_t slot = 0; slot < page_size_; ++slot) {
    const TokenUid token = slot < slots ? Read({source, slot}) : 0;
    Write(TestLane::kForeground, {destination, slot}, token);
  }
}

void PagedMemory::BeginRead(TestLane lane, uint64_t ticket,
                            const std::vector<SlotAddress>& slots) {
  LaneReads& reads = reads_[static_cast<size_t>(lane)];
  reads.by_ticket[ticket] = slots;
  reads.slots.insert(slots.begin(), slots.end());
}

void PagedMemory::CompleteReads(const LaneTickets& completed) {
  const std::array<uint64_t, 2> limits = {completed.foreground, completed.background};
  for (size_t lane = 0; lane < reads_.size(); ++lane) {
    auto& by_ticket = reads_[lane].by_ticket;
    while (!by_ticket.empty() && by_ticket.begin()->first <= limits[lane]) {
      EndRead(reads_[lane], by_ticket.begin());
    }
  }
}

void PagedMemory::ForgetReads(TestLane lane, const std::set<uint64_t>& tickets) {
  LaneReads& reads = reads_[static_cast<size_t>(lane)];
  for (const uint64_t ticket : tickets) {
    const auto it = reads.by_ticket.find(ticket);
    if (it != reads.by_ticket.end()) EndRead(reads, it);
  }
}

std::vector<TokenUid> PagedMemory::Tokens(PageId page) const {
  const auto it = pages_.find(page);
  return it == pages_.end() ? std::vector<TokenUid>{} : it->second;
}

void PagedMemory::EndRead(LaneReads& reads,
                          std::map<uint64_t, std::vector<SlotAddress>>::iterator it) {
  for (const SlotAddress& at : it->second) reads.slots.erase(reads.slots.find(at));
  reads.by_ticket.erase(it);
}

}  // namespace sluice
