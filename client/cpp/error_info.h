// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice::client {

// Why a call was refused: the closed list of sluice.v1.Reason, which says the
// status code of each. kNone: no finer reason than the code, or one that a newer
// daemon added.
enum class Reason {
  kNone = 0,
  kFieldInvalid = 1,
  kUnknownSession = 2,
  kUnknownSequence = 3,
  kUnknownStep = 4,
  kUnknownModel = 5,
  kStaleEpoch = 6,
  kStepOpen = 7,
  kLengthMismatch = 8,
  kBelowFloor = 9,
  kRangeRepeated = 10,
  kSequenceLost = 11,
  kLeaseExpired = 12,
  kTenantQuota = 13,
  kPoolFull = 14,
  kQueueFull = 15,
  kDraining = 16,
  kOverloaded = 17,
  kDeviceLost = 18,
  kFingerprintMismatch = 19,
  kPolicyNeeds = 20,
  kNotInVersion = 21,
  kJobDue = 22,  // in LeftOut only
};

// Its name on the wire, e.g. "POOL_FULL"; "NONE" for kNone.
absl::string_view ReasonName(Reason reason);

// What the tenant could take at the time of an answer, in bytes.
struct Room {
  int64_t free_bytes = 0;     // what it could take, cached blocks included
  int64_t block_bytes = 0;    // one block of the step's model
  int64_t missing_bytes = 0;  // what was missing; 0 unless refused for memory
};

// What a refusal says besides its code and message.
struct ErrorInfo {
  Reason reason = Reason::kNone;
  std::string field;                      // the request field at fault; empty: none
  int64_t retry_after_ms = 0;             // when a retry makes sense; 0: not said
  uint64_t open_step_id = 0;              // with kStepOpen: the step to abort
  std::optional<int64_t> length;          // with kLengthMismatch, in tokens
  std::optional<int64_t> rollback_floor;  // with kBelowFloor, in tokens
  std::optional<Room> room;               // with refusals for memory
};

// What `status`, returned by any call of this library, carries; all empty for
// one that carries nothing. Thread-safe.
ErrorInfo ErrorInfoOf(const absl::Status& status);

}  // namespace sluice::client
