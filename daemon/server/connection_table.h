// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "daemon/base/mutex.h"

namespace sluice {

// Why a connection was not taken.
enum class ConnectionRefusal : uint8_t { kLimit, kUserLimit, kNoCredentials, kNoFiles };
inline constexpr int kConnectionRefusalCount = static_cast<int>(ConnectionRefusal::kNoFiles) + 1;

// "limit", "uid_limit", "peer_denied" or "fd_exhausted": a metric's label.
absl::string_view ConnectionRefusalName(ConnectionRefusal refusal);

// Counts the open connections of all Unix listeners, and bounds them.
//
// gRPC closes a connection without telling: one is open as long as its
// descriptor names the socket that was accepted. Thread-safe.
class ConnectionTable {
 public:
  ConnectionTable(int64_t max_connections, int64_t max_per_user)
      : max_connections_(max_connections), max_per_user_(max_per_user) {}

  // Whether the connection `fd` of a user may stay. A refusal is counted.
  bool Admit(int fd, uid_t user) ABSL_LOCKS_EXCLUDED(mu_);

  void CountRefusal(ConnectionRefusal refusal) ABSL_LOCKS_EXCLUDED(mu_);

  // Connections open now.
  int64_t Count() ABSL_LOCKS_EXCLUDED(mu_);
  std::array<int64_t, kConnectionRefusalCount> Refusals() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Connection {
    int fd;
    ino_t socket;
    uid_t user;
  };

  // Forgets connections that are closed. O(connections).
  void Prune() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Full(uid_t user) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int64_t max_connections_;
  const int64_t max_per_user_;
  mutable Mutex mu_;
  std::vector<Connection> connections_ ABSL_GUARDED_BY(mu_);
  std::unordered_map<uid_t, int64_t> by_user_ ABSL_GUARDED_BY(mu_);
  std::array<int64_t, kConnectionRefusalCount> refusals_ ABSL_GUARDED_BY(mu_) = {};
};

}  // namespace sluice
