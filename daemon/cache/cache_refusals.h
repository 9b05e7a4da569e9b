// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "daemon/cache/ids.h"
#include "daemon/cache/step_demand.h"

namespace sluice {

// What the cache refuses with; `field` names the request's part, empty if there is
// but one.

absl::Status RefuseUnknown(SequenceId sequence, absl::string_view field);  // UNKNOWN_SEQUENCE
absl::Status RefuseOpen(SequenceId sequence, absl::string_view field);     // STEP_OPEN
absl::Status RefuseLost(SequenceId sequence, absl::string_view field);     // SEQUENCE_LOST

// POOL_FULL or TENANT_QUOTA. REQUIRES: something is short.
absl::Status RefuseShort(const Shortage& shortage);

}  // namespace sluice
