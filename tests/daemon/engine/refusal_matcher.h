// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/base/reason.h"
#include "gmock/gmock.h"

namespace sluice {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// A Status or StatusOr that was refused with `code`, `reason` and `field`.
MATCHER_P3(Refused, code, reason, field,
           std::string("is refused as ") + std::string(ReasonName(reason)) + " of '" + field + "'") {
  const absl::Status& status = StatusOf(arg);
  const auto refusal = RefusalOf(status);
  *result_listener << status.ToString();
  return status.code() == code && refusal.has_value() && refusal->reason == reason &&
         refusal->field == field;
}

// INVALID_ARGUMENT (FIELD_INVALID) of `field`.
inline auto RefusedField(const std::string& field) {
  return Refused(absl::StatusCode::kInvalidArgument, Reason::kFieldInvalid, field);
}

// Any refusal with `reason`.
MATCHER_P(RefusedFor, reason, std::string("is refused as ") + std::string(ReasonName(reason))) {
  const auto refusal = RefusalOf(StatusOf(arg));
  *result_listener << StatusOf(arg).ToString();
  return refusal.has_value() && refusal->reason == reason;
}

}  // namespace sluice
