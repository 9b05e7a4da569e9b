// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_listener.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/logging.h"
#include "daemon/base/status_macros.h"
#include "daemon/server/unix_socket.h"

namespace sluice {
namespace {

constexpr int kBackOffMs = 20;

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Create(std::string path, mode_t mode,
                                                                   ConnectionTable* connections) {
  SLUICE_ASSIGN_OR_RETURN(UniqueFd socket, ListenUnix(path, mode));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<UnixListener>(
      new UnixListener(std::move(path), std::move(socket), std::move(stop), connections));
}

UnixListener::UnixListener(std::string path, UniqueFd socket, UniqueFd stop,
                           ConnectionTable* connections)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      stop_(std::move(stop)),
      connections_(connections) {}

UnixListener::~UnixListener() {
  Stop();
  unlink(path_.c_str());
}

void UnixListener::Start(Handler handler) {
  handler_ = std::move(handler);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sluice-accept");
    Run();
  });
}

void UnixListener::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Cannot fail: an eventfd takes 2^64 - 2 of them.
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void UnixListener::Run() {
  while (WaitForConnection()) {
    UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection.valid()) {
      Take(std::move(connection));
      continue;
    }
    const int error = errno;
    if (error == EAGAIN || error == EINTR || error == ECONNABORTED) continue;
    if (error == EMFILE || error == ENFILE) {
      connections_->CountRefusal(ConnectionRefusal::kNoFiles);
    }
    LogWarning("accept_failed",
               {{"listener", path_}, {"error", absl::ErrnoToStatus(error, "").ToString()}});
    if (!BackOff()) return;
  }
}

bool UnixListener::WaitForConnection() {
  pollfd fds[2] = {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                   {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  poll(fds, 2, -1);
  return fds[1].revents == 0;
}

bool UnixListener::BackOff() {
  pollfd stop = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
  return poll(&stop, 1, kBackOffMs) <= 0;
}

void UnixListener::Take(UniqueFd connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    connections_->CountRefusal(ConnectionRefusal::kNoCredentials);
    return;
  }
  if (!connections_->Admit(connection.get(), peer.uid)) {
    LogWarning("connection_refused", {{"listener", path_}, {"uid", peer.uid}, {"pid", peer.pid}});
    return;
  }
  LogDebug("connection_accepted", {{"listener", path_}, {"uid", peer.uid}, {"pid", peer.pid}});
  handler_(std::move(connection));
}

}  // namespace sluice
