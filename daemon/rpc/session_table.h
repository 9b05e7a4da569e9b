// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace sluice {

// What others may do with an open session stream.
//
// Thread-safe.
class SessionControl {
 public:
  virtual ~SessionControl() = default;

  // 0 until the client has opened the session.
  virtual uint64_t id() const = 0;

  // How long nothing came by the stream, or, where it is not being read because
  // answers wait, how long the client has taken none; else zero.
  virtual absl::Duration IdleTime() const = 0;

  // Ends the stream at once.
  virtual void EndNow(absl::Status status) = 0;

  // Ends the stream once every call that runs has its answer.
  virtual void EndAfterAnswers(absl::Status status) = 0;
};

// The open session streams of the daemon.
//
// Thread-safe. No session is called with the lock held.
class SessionTable {
 public:
  explicit SessionTable(int64_t max_sessions) : max_sessions_(max_sessions) {}

  // False if the table is full or draining.
  bool Add(std::shared_ptr<SessionControl> session) ABSL_LOCKS_EXCLUDED(mu_);
  void Remove(const SessionControl* session) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends with ABORTED (LEASE_EXPIRED) the sessions that have been idle for `limit`.
  // To be called many times within `limit`: a gap says that this process has been
  // stopped, and what came meanwhile gets time to be read.
  void EndIdle(absl::Duration limit) ABSL_LOCKS_EXCLUDED(mu_);

  // Takes no new session, and ends each after its answers with UNAVAILABLE (DRAINING).
  void Drain() ABSL_LOCKS_EXCLUDED(mu_);

  // By session id.
  absl::flat_hash_map<uint64_t, absl::Duration> IdleTimes() const ABSL_LOCKS_EXCLUDED(mu_);

  int64_t size() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::vector<std::shared_ptr<SessionControl>> All() const ABSL_LOCKS_EXCLUDED(mu_);
  bool WasJustStopped(absl::Duration limit) ABSL_LOCKS_EXCLUDED(mu_);

  const int64_t max_sessions_;
  mutable Mutex mu_;
  std::optional<std::chrono::steady_clock::time_point> last_check_ ABSL_GUARDED_BY(mu_);
  std::chrono::steady_clock::time_point patient_until_ ABSL_GUARDED_BY(mu_);
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  absl::flat_hash_map<const SessionControl*, std::shared_ptr<SessionControl>> sessions_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace sluice
