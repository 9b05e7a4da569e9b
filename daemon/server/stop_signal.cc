// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/stop_signal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "daemon/base/logging.h"

namespace sluice {

absl::StatusOr<std::unique_ptr<StopSignal>> StopSignal::Create() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return absl::ErrnoToStatus(error, "pthread_sigmask");
  }
  UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC));
  UniqueFd requests(eventfd(0, EFD_CLOEXEC));
  if (!signals.valid() || !requests.valid()) return absl::ErrnoToStatus(errno, "signalfd");
  return std::unique_ptr<StopSignal>(new StopSignal(std::move(signals), std::move(requests)));
}

StopSignal::StopSignal(UniqueFd signals, UniqueFd requests)
    : signals_(std::move(signals)), requests_(std::move(requests)) {}

void StopSignal::Request(std::optional<absl::Duration> timeout) {
  {
    MutexLock lock(&mu_);
    if (requested_) return;
    requested_ = true;
    timeout_ = timeout;
  }
  const uint64_t one = 1;
  // Cannot fail: an eventfd takes 2^64 - 2 of them.
  [[maybe_unused]] const ssize_t written = write(requests_.get(), &one, sizeof(one));
}

std::optional<absl::Duration> StopSignal::Wait() {
  pollfd fds[2] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                   {.fd = requests_.get(), .events = POLLIN, .revents = 0}};
  while (poll(fds, 2, -1) < 0) {
  }
  if (fds[0].revents != 0) {
    signalfd_siginfo info{};
    const ssize_t got = read(signals_.get(), &info, sizeof(info));
    if (got == sizeof(info)) LogInfo("stop_signal", {{"signal", info.ssi_signo}});
    return std::nullopt;
  }
  MutexLock lock(&mu_);
  return timeout_;
}

}  // namespace sluice
