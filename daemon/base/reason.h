// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sluice {

// Why a call was refused: the closed list that clients may branch on. The name
// without `k` in UPPER_SNAKE goes over the wire and labels the metric.
enum class Reason {
  kFieldInvalid,         // INVALID_ARGUMENT: a field is missing or out of range
  kPolicyNeeds,          // INVALID_ARGUMENT: a policy lacks an input it needs
  kNotInVersion,         // UNIMPLEMENTED: known, but this daemon cannot do it
  kUnknownSession,       // NOT_FOUND, like the next three: also what is another tenant's
  kUnknownSequence,
  kUnknownStep,
  kUnknownModel,
  kStaleEpoch,           // FAILED_PRECONDITION: from an earlier life of the daemon
  kStepOpen,             // FAILED_PRECONDITION: a step is open on the sequence
  kLengthMismatch,       // FAILED_PRECONDITION: the length differs from base_length
  kBelowFloor,           // FAILED_PRECONDITION: below the rollback floor
  kFingerprintMismatch,  // FAILED_PRECONDITION: the model is registered otherwise
  kRangeRepeated,        // ABORTED: a range of a layer came twice
  kSequenceLost,         // ABORTED: state written in place could not be undone
  kLeaseExpired,         // ABORTED: the session's lease ran out before the call
  kTenantQuota,          // RESOURCE_EXHAUSTED: the tenant is at its quota
  kPoolFull,             // RESOURCE_EXHAUSTED: no page is free or can be freed
  kQueueFull,            // RESOURCE_EXHAUSTED: too many calls wait
  kDraining,             // UNAVAILABLE: the daemon is about to stop
  kOverloaded,           // UNAVAILABLE: the daemon protects itself
  kDeviceLost,           // UNAVAILABLE: the GPU is gone
};

inline constexpr int kReasonCount = static_cast<int>(Reason::kDeviceLost) + 1;

// The name on the wire, e.g. "FIELD_INVALID". REQUIRES: a value of the enum.
absl::string_view ReasonName(Reason reason);

// The reason of that name, or nullopt.
std::optional<Reason> ReasonFromName(absl::string_view name);

// What a refusal says besides its code and message.
struct Refusal {
  Reason reason;
  std::string field;           // the request field that is wrong; may be empty
  int64_t retry_after_ms = 0;  // 0: no hint
};

// An error of `code` that carries `reason`, and `field` and `retry_after_ms`
// where given. A field is also named at the start of the message.
// REQUIRES: `code` is not OK.
absl::Status Refuse(absl::StatusCode code, Reason reason, absl::string_view field,
                    absl::string_view message, int64_t retry_after_ms = 0);

// Refuse(INVALID_ARGUMENT, FIELD_INVALID, ...): the most common refusal.
absl::Status RefuseField(absl::string_view field, absl::string_view message);

// What `status` carries, or nullopt if it was not made by Refuse.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace sluice
