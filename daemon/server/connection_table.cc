// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/connection_table.h"

#include <sys/stat.h>

namespace sluice {
namespace {

// The inode of the socket that `fd` names now; 0: none.
ino_t SocketOf(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

absl::string_view ConnectionRefusalName(ConnectionRefusal refusal) {
  constexpr std::array<absl::string_view, kConnectionRefusalCount> kNames = {
      "limit", "uid_limit", "peer_denied", "fd_exhausted"};
  return kNames[static_cast<size_t>(refusal)];
}

bool ConnectionTable::Admit(int fd, uid_t user) {
  MutexLock lock(&mu_);
  if (Full(user)) Prune();
  if (Full(user)) {
    const bool total = static_cast<int64_t>(connections_.size()) >= max_connections_;
    const auto refusal = total ? ConnectionRefusal::kLimit : ConnectionRefusal::kUserLimit;
    ++refusals_[static_cast<size_t>(refusal)];
    return false;
  }
  connections_.push_back({.fd = fd, .socket = SocketOf(fd), .user = user});
  ++by_user_[user];
  return true;
}

void ConnectionTable::CountRefusal(ConnectionRefusal refusal) {
  MutexLock lock(&mu_);
  ++refusals_[static_cast<size_t>(refusal)];
}

int64_t ConnectionTable::Count() {
  MutexLock lock(&mu_);
  Prune();
  return static_cast<int64_t>(connections_.size());
}

std::array<int64_t, kConnectionRefusalCount> ConnectionTable::Refusals() const {
  MutexLock lock(&mu_);
  return refusals_;
}

void ConnectionTable::Prune() {
  std::erase_if(connections_, [](const Connection& connection) {
    return SocketOf(connection.fd) != connection.socket;
  });
  by_user_.clear();
  for (const Connection& connection : connections_) ++by_user_[connection.user];
}

bool ConnectionTable::Full(uid_t user) const {
  if (static_cast<int64_t>(connections_.size()) >= max_connections_) return true;
  const auto found = by_user_.find(user);
  return found != by_user_.end() && found->second >= max_per_user_;
}

}  // namespace sluice
