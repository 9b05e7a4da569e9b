// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "absl/time/time.h"

namespace sluice {

// Commands that cannot be answered yet: steps that wait for a job, for an open
// step to close or for memory, forks that wait for a job.
//
// Tried again in the order in which they came whenever something changed.
// Not thread-safe: owned by the engine thread.
class WaitList {
 public:
  enum class Outcome : uint8_t {
    kAnswered,        // `done` was called; forget it
    kWaits,           // for a job or an open step
    kWaitsForMemory,  // later ones of the same tenant must not overtake it
  };

  // What an attempt may do.
  struct Attempt {
    bool expired = false;         // the time to wait for others is over
    bool memory_is_taken = false;  // an earlier waiter of the tenant is first
    bool out_of_time = false;      // the time that the call may take is over
    bool crowded = false;          // too many of the tenant wait already: answer now
  };
  using Try = std::function<Outcome(const Attempt&)>;

  // `most_waiting`: how many of a tenant may wait at a time.
  WaitList(int32_t tenant_count, int64_t most_waiting);

  // Tries at once; keeps it for later unless it is answered. It waits for others until
  // `deadline`, and may take until `limit`. Where too many wait already it is tried
  // again as one that must be answered now.
  void Add(int32_t tenant, absl::Duration deadline, absl::Duration now, Try attempt,
           absl::Duration limit = absl::InfiniteDuration());

  // Something happened that a waiter may wait for.
  void Changed() { changed_ = true; }

  // Tries all if something changed or a deadline has come. True if one was answered.
  bool Pump(absl::Duration now);

  // No deadline that is still to come comes before this.
  absl::Duration NextDeadline() const;
  int64_t size() const { return static_cast<int64_t>(waiters_.size()); }

 private:
  struct Waiter {
    int32_t tenant;
    absl::Duration deadline;
    Try attempt;
    absl::Duration limit;
    bool wants_memory = false;
    bool expired = false;
    bool out_of_time = false;
  };

  const int64_t most_waiting_;
  std::list<Waiter> waiters_;
  std::vector<bool> memory_taken_;  // [tenants], while trying
  bool changed_ = false;
};

}  // namespace sluice
