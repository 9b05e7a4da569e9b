// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"

namespace sluice {

// A listening Unix socket at `path`, with file mode `mode`, non-blocking. Makes
// the directory, mode 0700, if it is not there. A file that a dead daemon left
// is replaced.
//
// ALREADY_EXISTS: somebody listens there. FAILED_PRECONDITION: there is
// something that is no socket. Other codes of the system; each names the path.
absl::StatusOr<UniqueFd> ListenUnix(const std::string& path, mode_t mode);

}  // namespace sluice
