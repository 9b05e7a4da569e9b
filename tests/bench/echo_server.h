// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace sluice::bench {

// Serves KvCache.Session at `address` until SIGTERM and does nothing in it:
// every request is read and parsed, and answered at once with an attend response
// with `out_bytes` bytes of output. Returns the exit code.
int ServeEmptyStream(const std::string& address, int out_bytes);

}  // namespace sluice::bench
