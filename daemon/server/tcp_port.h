// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"

namespace sluice {

// OK if somebody could listen on `address` now, which IsLoopback holds for.
// UNAVAILABLE naming it: the port is taken. Thread-safe.
absl::Status CheckPortIsFree(const std::string& address);

}  // namespace sluice
