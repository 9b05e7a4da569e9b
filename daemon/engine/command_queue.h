// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/mutex.h"
#include "daemon/engine/command.h"
#include "kernels/completion_signal.h"

namespace sluice {

// When to come again after QUEUE_FULL.
inline constexpr int64_t kQueueRetryAfterMs = 20;

// Commands on their way to the engine thread: one bounded queue for all
// tenants, served one tenant after the other. What a command costs is settled
// later, where its operations are handed out (dispatcher.h).
//
// Thread-safe.
class CommandQueue {
 public:
  // REQUIRES: tenant_count >= 1, capacity >= 1. `signal` outlives the queue.
  CommandQueue(int32_t tenant_count, int64_t capacity, CompletionSignal& signal);

  // RESOURCE_EXHAUSTED (QUEUE_FULL): `capacity` commands wait. UNAVAILABLE
  // (DRAINING): closed. A CloseSession is taken in either case.
  absl::Status Push(Command command) ABSL_LOCKS_EXCLUDED(mu_);

  // As Push, but does not raise the signal.
  absl::Status PushQuietly(Command command) ABSL_LOCKS_EXCLUDED(mu_);

  // The next command, or nothing.
  std::optional<Command> Pop() ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses what comes from now on.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  int64_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const int64_t capacity_;
  CompletionSignal& signal_;
  mutable Mutex mu_;
  std::vector<std::deque<Command>> by_tenant_ ABSL_GUARDED_BY(mu_);
  size_t next_tenant_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t size_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace sluice
