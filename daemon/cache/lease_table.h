// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace sluice {

// Deadlines of what is held for a limited time (sequences, sessions, steps), by a
// number of the caller's choice. Time is the caller's: any clock that never goes
// back.
//
// Not thread-safe: owned by the engine thread.
class LeaseTable {
 public:
  // Adds or moves a deadline. O(1) when it moves to a later time, which is what a
  // renewal does; else O(log n).
  void Set(uint64_t key, absl::Duration deadline);
  // No effect if there is none.
  void Remove(uint64_t key);

  // Removes and returns leases with a deadline <= `now`, earliest first; looks at
  // `max_leases` at most, so call again while it returns a full slice or
  // NextDeadline() <= now.
  std::vector<uint64_t> Expire(absl::Duration now, int64_t max_leases);

  // No lease expires before this; InfiniteDuration() if there is none.
  absl::Duration NextDeadline() const;
  // When the lease of `key` ends; nothing if there is none.
  std::optional<absl::Duration> DeadlineOf(uint64_t key) const;
  int64_t size() const { return static_cast<int64_t>(leases_.size()); }

 private:
  struct Lease {
    absl::Duration deadline;
    absl::Duration queued;  // the time of its one valid entry in queue_, <= deadline
    uint64_t entry = 0;
  };
  struct Queued {
    absl::Duration time;
    uint64_t entry = 0;  // counts up: makes the order of equal times certain
    uint64_t key = 0;
    friend bool operator>(const Queued& a, const Queued& b) {
      return a.time != b.time ? a.time > b.time : a.entry > b.entry;
    }
  };

  void Enqueue(uint64_t key, Lease& lease);

  absl::flat_hash_map<uint64_t, Lease> leases_;
  std::priority_queue<Queued, std::vector<Queued>, std::greater<>> queue_;
  uint64_t next_entry_ = 0;
};

}  // namespace sluice
