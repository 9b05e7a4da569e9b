// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/tcp_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/unique_fd.h"

namespace sluice {
namespace {

template <class Address>
bool CanBind(const Address& address, int family) {
  const UniqueFd probe(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // as a server does, so that closed connections are not in the way
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

bool CanBindTo(bool ipv6, uint16_t port) {
  if (ipv6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(port);
    return CanBind(address, AF_INET6);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return CanBind(address, AF_INET);
}

}  // namespace

absl::Status CheckPortIsFree(const std::string& address) {
  int port = 0;
  if (absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port) &&
      CanBindTo(address[0] == '[', static_cast<uint16_t>(port))) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address, "; is the port taken?"));
}

}  // namespace sluice
