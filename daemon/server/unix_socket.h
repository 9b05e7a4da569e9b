// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace sluice {

// A listening Unix socket at `path`, with file mode `mode`, non-blocking. Makes
// the directory, mode 0700, if it is not there. A file that a dead daemon left
// is replaced. While it does so it holds a lock on the directory, for which it
// waits `lock_limit`: whoever can open the directory can hold that lock.
//
// ALREADY_EXISTS: somebody listens there. FAILED_PRECONDITION: there is
// something that is no socket. UNAVAILABLE: another process kept the directory
// locked. Other codes of the system; each names the path or the directory.
absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, mode_t mode,
                                    absl::Duration lock_limit = absl::Seconds(10));

}  // namespace sluice
