// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice::client {

// The daemon's default socket, as sluice.config.v1.Listen.socket_path defines
// it: `unix:$XDG_RUNTIME_DIR/sluice/sluice.sock`, or
// `unix:/run/sluice/sluice.sock` where that variable is not an absolute path.
// Thread-safe unless another thread changes the environment.
std::string DefaultAddress();

// INVALID_ARGUMENT unless `address` is `unix:/path` (absolute, at most 107
// bytes) or `host:port` with a port from 1 to 65535. Thread-safe.
absl::Status CheckAddress(absl::string_view address);

}  // namespace sluice::client
