// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice {

// FIELD_INVALID: what is allowed, in the unit that the field's name ends with, and
// what came: "pool.bytes: must be in [16777216, 1099511627776] bytes (16 MiB to
// 1 TiB), got 12". Pure: thread-safe.
absl::Status RefuseRange(absl::string_view field, int64_t value, int64_t low, int64_t high);

}  // namespace sluice
