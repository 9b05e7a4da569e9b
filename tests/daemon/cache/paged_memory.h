// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/cache/ids.h"

namespace sluice {

// What a slot holds: whose token it is. 0: nothing.
using TokenUid = uint64_t;

struct SlotAddress {
  PageId page;
  int64_t slot = 0;
  friend auto operator<=>(const SlotAddress&, const SlotAddress&) = default;
};

enum class TestLane : size_t { kForeground = 0, kBackground = 1 };

// The bytes behind the pages, as far as a test cares: a token a slot, and which
// slots operations in flight still read. A write that could meet such a read of
// the other lane is an error: within a lane the order protects.
class PagedMemory {
 public:
  explicit PagedMemory(int64_t page_size) : page_size_(page_size) {}

  void Write(TestLane lane, SlotAddress at, TokenUid token);
  TokenUid Read(SlotAddress at) const;
  // Clears all pages of the slab, whoever reads.
  void ClearSlab(SlabId slab);
  // `destination` := the first `slots` slots of `source`, then nothing.
  void CopyPage(PageId source, PageId destination, int64_t slots);

  // An operation that reads the slots until it completes.
  void BeginRead(TestLane lane, uint64_t ticket, const std::vector<SlotAddress>& slots);
  void CompleteReads(const LaneTickets& completed);
  // The result of these operations will not be used.
  void ForgetReads(TestLane lane, const std::set<uint64_t>& tickets);

  // Every token in the page, for a look at what a new owner would see.
  std::vector<TokenUid> Tokens(PageId page) const;

  // The first write that met a read; empty if none did.
  const std::string& error() const { return error_; }

 private:
  struct LaneReads {
    std::map<uint64_t, std::vector<SlotAddress>> by_ticket;
    std::multiset<SlotAddress> slots;
  };
  void EndRead(LaneReads& reads, std::map<uint64_t, std::vector<SlotAddress>>::iterator it);

  int64_t page_size_;
  std::map<PageId, std::vector<TokenUid>> pages_;
  std::array<LaneReads, 2> reads_;
  std::string error_;
};

}  // namespace sluice
