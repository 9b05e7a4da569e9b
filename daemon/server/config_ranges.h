// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "sluice/config/v1/config.pb.h"

namespace sluice {

// INVALID_ARGUMENT naming the first field of `config` that is out of the range
// of config.proto, what it is and what is allowed. REQUIRES: FillDefaults.
absl::Status CheckRanges(const config::v1::Config& config);

// INVALID_ARGUMENT naming `field` unless `path` is absolute and short enough for a socket.
absl::Status CheckSocketPath(const std::string& field, const std::string& path);

// Whether `address` is an IPv4 or IPv6 loopback address with a port:
// "127.0.0.1:80", "[::1]:80".
bool IsLoopback(const std::string& address);

}  // namespace sluice
