// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/reason.h"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"

namespace sluice {
namespace {

constexpr char kReasonUrl[] = "sluice.v1/reason";
constexpr char kFieldUrl[] = "sluice.v1/field";
constexpr char kRetryUrl[] = "sluice.v1/retry-after-ms";

// In the order of the enum.
constexpr std::array<absl::string_view, kReasonCount> kNames = {
    "FIELD_INVALID",   "POLICY_NEEDS",         "NOT_IN_VERSION", "UNKNOWN_SESSION",
    "UNKNOWN_SEQUENCE", "UNKNOWN_STEP",        "UNKNOWN_MODEL",  "STALE_EPOCH",
    "STEP_OPEN",       "LENGTH_MISMATCH",      "BELOW_FLOOR",    "FINGERPRINT_MISMATCH",
    "RANGE_REPEATED",  "SEQUENCE_LOST",        "LEASE_EXPIRED",  "TENANT_QUOTA",
    "POOL_FULL",       "QUEUE_FULL",           "DRAINING",       "OVERLOADED",
    "DEVICE_LOST",
};

}  // namespace

absl::string_view ReasonName(Reason reason) {
  const auto index = static_cast<size_t>(reason);
  SLUICE_CHECK(index < kNames.size()) << "reason " << index;
  return kNames[index];
}

std::optional<Reason> ReasonFromName(absl::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Reason>(i);
  }
  return std::nullopt;
}

absl::Status Refuse(absl::StatusCode code, Reason reason, absl::string_view field,
                    absl::string_view message, int64_t retry_after_ms) {
  SLUICE_CHECK(code != absl::StatusCode::kOk) << "a refusal with code OK: " << message;
  absl::Status status(code, field.empty() ? std::string(message)
                                          : absl::StrCat(field, ": ", message));
  status.SetPayload(kReasonUrl, absl::Cord(ReasonName(reason)));
  if (!field.empty()) status.SetPayload(kFieldUrl, absl::Cord(field));
  if (retry_after_ms > 0) status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(retry_after_ms)));
  return status;
}

absl::Status RefuseField(absl::string_view field, absl::string_view message) {
  return Refuse(absl::StatusCode::kInvalidArgument, Reason::kFieldInvalid, field, message);
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const auto name = status.GetPayload(kReasonUrl);
  if (!name) return std::nullopt;
  const std::optional<Reason> reason = ReasonFromName(std::string(*name));
  if (!reason) return std::nullopt;
  Refusal refusal{.reason = *reason, .field = "", .retry_after_ms = 0};
  if (const auto field = status.GetPayload(kFieldUrl)) refusal.field = std::string(*field);
  if (const auto retry = status.GetPayload(kRetryUrl)) {
    SLUICE_CHECK(absl::SimpleAtoi(std::string(*retry), &refusal.retry_after_ms));
  }
  return refusal;
}

}  // namespace sluice
