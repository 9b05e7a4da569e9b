// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr int kBacklog = 128;
constexpr mode_t kDirectoryMode = 0700;

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

// Waits at most `limit` for the lock of an open directory.
absl::Status Lock(const UniqueFd& fd, const std::string& directory, absl::Duration limit) {
  constexpr absl::Duration kPause = absl::Milliseconds(50);
  const absl::Time end = absl::Now() + limit;
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR && errno != EWOULDBLOCK) {
      return SystemError("cannot lock the socket's directory", directory);
    }
    if (absl::Now() >= end) {
      return absl::UnavailableError(
          absl::StrCat("another process keeps the socket's directory ", directory, " locked"));
    }
    absl::SleepFor(std::min(kPause, limit));
  }
  return absl::OkStatus();
}

// The directory of `path`, made if it is not there, locked against other daemons as
// long as the descriptor is open: a socket that is bound and does not listen yet
// looks like one of a dead daemon.
absl::StatusOr<UniqueFd> LockDirectory(const std::string& path, absl::Duration limit) {
  const std::string directory = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
  if (mkdir(directory.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return SystemError("cannot make the socket's directory", directory);
  }
  UniqueFd lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) return SystemError("cannot open the socket's directory", directory);
  SLUICE_RETURN_IF_ERROR(Lock(lock, directory, limit));
  return lock;
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket path of ", path.size(), " bytes: ",
                                                   path));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd MakeSocket(int flags) {
  return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

// Removes the socket that a dead daemon left at `path`, if there is one.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError("cannot look at", path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is no socket"));
  }
  const UniqueFd probe = MakeSocket(SOCK_NONBLOCK);
  if (!probe.valid()) return SystemError("cannot make a socket for", path);
  const auto* peer = reinterpret_cast<const sockaddr*>(&address);
  if (connect(probe.get(), peer, sizeof(address)) == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError(absl::StrCat("a daemon listens on ", path, " already"));
  }
  if (errno != ECONNREFUSED) return SystemError("cannot tell who owns", path);
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return SystemError("cannot remove the stale socket", path);
}

}  // namespace

absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, mode_t mode,
                                    absl::Duration lock_limit) {
  SLUICE_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  SLUICE_ASSIGN_OR_RETURN(const UniqueFd lock, LockDirectory(path, lock_limit));
  SLUICE_RETURN_IF_ERROR(RemoveStale(path, address));
  UniqueFd listener = MakeSocket(SOCK_NONBLOCK);
  if (!listener.valid()) return SystemError("cannot make a socket for", path);
  const auto* own = reinterpret_cast<const sockaddr*>(&address);
  if (bind(listener.get(), own, sizeof(address)) != 0) return SystemError("cannot bind", path);
  // Nobody can connect before listen: the mode is right from the first on.
  if (chmod(path.c_str(), mode) != 0) return SystemError("cannot set the mode of", path);
  if (listen(listener.get(), kBacklog) != 0) return SystemError("cannot listen on", path);
  return listener;
}

}  // namespace sluice
