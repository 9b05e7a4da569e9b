// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/wait_list.h"

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"

namespace sluice {

WaitList::WaitList(int32_t tenant_count, int64_t most_waiting)
    : most_waiting_(most_waiting), memory_taken_(static_cast<size_t>(tenant_count)) {}

void WaitList::Add(int32_t tenant, absl::Duration deadline, absl::Duration now, Try attempt,
                   absl::Duration limit) {
  const bool taken = std::any_of(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) {
    return waiter.tenant == tenant && waiter.wants_memory;
  });
  const bool expired = deadline <= now;
  const bool out_of_time = limit <= now;
  const Outcome outcome = attempt({expired, taken, out_of_time});
  if (outcome == Outcome::kAnswered) return;
  const auto waiting = std::count_if(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) {
    return waiter.tenant == tenant;
  });
  if (waiting >= most_waiting_) {
    const Outcome last = attempt({expired, taken, out_of_time, /*crowded=*/true});
    SLUICE_CHECK(last == Outcome::kAnswered) << "a call waits where no more may";
    return;
  }
  waiters_.push_back({tenant, deadline, std::move(attempt), limit,
                      outcome == Outcome::kWaitsForMemory, expired, out_of_time});
}

bool WaitList::Pump(absl::Duration now) {
  if (!changed_ && NextDeadline() > now) return false;
  changed_ = false;
  memory_taken_.assign(memory_taken_.size(), false);
  bool answered = false;
  // An attempt may add waiters at the end (an answer that leads to another
  // command); they have been tried already.
  size_t left = waiters_.size();
  for (auto waiter = waiters_.begin(); left > 0; --left) {
    const auto tenant = static_cast<size_t>(waiter->tenant);
    waiter->expired = waiter->expired || waiter->deadline <= now;
    waiter->out_of_time = waiter->out_of_time || waiter->limit <= now;
    const Outcome outcome =
        waiter->attempt({waiter->expired, memory_taken_[tenant], waiter->out_of_time});
    waiter->wants_memory = outcome == Outcome::kWaitsForMemory;
    if (waiter->wants_memory) memory_taken_[tenant] = true;
    answered = answered || outcome == Outcome::kAnswered;
    waiter = outcome == Outcome::kAnswered ? waiters_.erase(waiter) : std::next(waiter);
  }
  return answered;
}

absl::Duration WaitList::NextDeadline() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const Waiter& waiter : waiters_) {
    if (!waiter.expired) next = std::min(next, waiter.deadline);
    if (!waiter.out_of_time) next = std::min(next, waiter.limit);
  }
  return next;
}

}  // namespace sluice
