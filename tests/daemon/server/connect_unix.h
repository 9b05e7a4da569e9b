// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "daemon/base/unique_fd.h"

namespace sluice {

// A socket that is connected to nobody yet.
inline UniqueFd UnixClient() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// Whether somebody listens at `path`; connects `client` to it.
inline bool ConnectTo(const std::string& path, const UniqueFd& client) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const auto* peer = reinterpret_cast<const sockaddr*>(&address);
  return connect(client.get(), peer, sizeof(address)) == 0;
}

// A connection to the Unix socket at `path`; none if there is nobody.
inline UniqueFd ConnectUnix(const std::string& path) {
  UniqueFd client = UnixClient();
  if (!ConnectTo(path, client)) client.Reset();
  return client;
}

// Whether the other side has closed the connection; waits until it does or
// sends something.
inline bool IsClosedByPeer(const UniqueFd& fd) {
  char byte;
  return recv(fd.get(), &byte, 1, 0) <= 0;
}

}  // namespace sluice
