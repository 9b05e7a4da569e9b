// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/lease_table.h"

namespace sluice {

void LeaseTable::Set(uint64_t key, absl::Duration deadline) {
  const auto [it, is_new] = leases_.try_emplace(key);
  Lease& lease = it->second;
  lease.deadline = deadline;
  if (is_new || deadline < lease.queued) Enqueue(key, lease);
}

void LeaseTable::Remove(uint64_t key) { leases_.erase(key); }

std::vector<uint64_t> LeaseTable::Expire(absl::Duration now, int64_t max_leases) {
  std::vector<uint64_t> expired;
  for (int64_t looked_at = 0; looked_at < max_leases; ++looked_at) {
    if (queue_.empty() || queue_.top().time > now) break;
    const Queued top = queue_.top();
    queue_.pop();
    const auto it = leases_.find(top.key);
    if (it == leases_.end() || it->second.entry != top.entry) continue;  // removed or moved
    if (it->second.deadline > now) {
      Enqueue(top.key, it->second);  // renewed since it was queued
      continue;
    }
    expired.push_back(top.key);
    leases_.erase(it);
  }
  return expired;
}

absl::Duration LeaseTable::NextDeadline() const {
  return queue_.empty() ? absl::InfiniteDuration() : queue_.top().time;
}

std::optional<absl::Duration> LeaseTable::DeadlineOf(uint64_t key) const {
  const auto it = leases_.find(key);
  if (it == leases_.end()) return std::nullopt;
  return it->second.deadline;
}

void LeaseTable::Enqueue(uint64_t key, Lease& lease) {
  lease.queued = lease.deadline;
  lease.entry = next_entry_++;
  queue_.push({lease.queued, lease.entry, key});
}

}  // namespace sluice
