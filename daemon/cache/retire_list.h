// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/cache/ids.h"

namespace sluice {

// Things that wait until every lane has passed the operations that may still
// read them, oldest first.
//
// Not thread-safe: owned by the engine thread.
template <class T>
class RetireList {
 public:
  // `newest`: the last operation submitted to each lane.
  // REQUIRES: no lane's number is smaller than in the push before.
  void Push(T item, const LaneTickets& newest) {
    SLUICE_CHECK(newest_.PassedBy(newest)) << "lane tickets went back";
    newest_ = newest;
    entries_.push_back({std::move(item), newest});
  }

  // The oldest entry, if every lane has passed it by `completed`; else nullopt.
  std::optional<T> Pop(const LaneTickets& completed) {
    if (!Ready(completed)) return std::nullopt;
    T item = std::move(entries_.front().item);
    entries_.pop_front();
    return item;
  }

  // True if Pop would return an entry.
  bool Ready(const LaneTickets& completed) const {
    return !entries_.empty() && entries_.front().tickets.PassedBy(completed);
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    T item;
    LaneTickets tickets;
  };

  std::deque<Entry> entries_;
  LaneTickets newest_;
};

}  // namespace sluice
