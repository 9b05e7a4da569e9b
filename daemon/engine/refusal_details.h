// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace sluice {

// What a tenant could take of the pool, in bytes.
struct Room {
  int64_t free_bytes = 0;     // in pages of the model concerned, cached blocks included
  int64_t block_bytes = 0;    // of the model concerned
  int64_t missing_bytes = 0;  // of a refusal for memory
};

// Numbers that some refusals carry besides their reason.
struct RefusalDetails {
  uint64_t open_step_id = 0;              // STEP_OPEN
  std::optional<int64_t> length;          // LENGTH_MISMATCH, BELOW_FLOOR
  std::optional<int64_t> rollback_floor;  // BELOW_FLOOR
  std::optional<Room> room;               // every refusal of BeginStep
};

// `status` with `details`. REQUIRES: it is not OK.
absl::Status WithDetails(absl::Status status, const RefusalDetails& details);

// What WithDetails attached; empty if nothing was.
RefusalDetails DetailsOf(const absl::Status& status);

}  // namespace sluice
