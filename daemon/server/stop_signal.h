// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace sluice {

// What ends the daemon: SIGTERM, SIGINT, or a request.
//
// Thread-safe.
class StopSignal {
 public:
  // Blocks the two signals in this thread and those it makes from now on, so
  // that Wait gets them. REQUIRES: before any other thread is made.
  static absl::StatusOr<std::unique_ptr<StopSignal>> Create();

  // Ends Wait; of several requests the first counts.
  void Request(std::optional<absl::Duration> timeout) ABSL_LOCKS_EXCLUDED(mu_);

  // Returns once the daemon is to end, with the time that calls get if a request
  // named one.
  std::optional<absl::Duration> Wait() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  StopSignal(UniqueFd signals, UniqueFd requests);

  const UniqueFd signals_;   // a signalfd
  const UniqueFd requests_;  // an eventfd
  Mutex mu_;
  bool requested_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Duration> timeout_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sluice
