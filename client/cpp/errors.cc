// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/errors.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sluice::client {
namespace {

constexpr absl::string_view kPayload = "sluice.v1.Error";
constexpr absl::string_view kReasonPrefix = "REASON_";

void AddNumber(absl::string_view key, int64_t number, v1::Error* error) {
  if (key == "sluice-retry-after-ms") error->set_retry_after_ms(number);
  if (key == "sluice-length") error->set_length(number);
  if (key == "sluice-rollback-floor") error->set_rollback_floor(number);
  if (key == "sluice-free-bytes") error->mutable_room()->set_free_bytes(number);
  if (key == "sluice-block-bytes") error->mutable_room()->set_block_bytes(number);
  if (key == "sluice-missing-bytes") error->mutable_room()->set_missing_bytes(number);
}

}  // namespace

Reason FromWire(v1::Reason reason) {
  return v1::Reason_IsValid(reason) ? static_cast<Reason>(reason) : Reason::kNone;
}

absl::string_view ReasonName(Reason reason) {
  if (reason == Reason::kNone) return "NONE";
  absl::string_view name = v1::Reason_Name(static_cast<v1::Reason>(reason));
  absl::ConsumePrefix(&name, kReasonPrefix);
  return name;
}

absl::Status FromWire(const v1::Error& error) {
  if (error.code() == 0) return BadAnswer("a refusal with the code OK");
  const bool known = error.code() >= 1 && error.code() <= 16;
  absl::Status status(
      known ? static_cast<absl::StatusCode>(error.code()) : absl::StatusCode::kUnknown,
      error.message());
  status.SetPayload(kPayload, absl::Cord(error.SerializeAsString()));
  return status;
}

void AddMetadata(absl::string_view key, absl::string_view value, v1::Error* error) {
  v1::Reason reason;
  uint64_t step = 0;
  int64_t number = 0;
  if (key == "sluice-reason") {
    const std::string name = absl::StrCat(kReasonPrefix, value);
    if (v1::Reason_Parse(name, &reason)) error->set_reason(reason);
  } else if (key == "sluice-field") {
    error->set_field(std::string(value));
  } else if (key == "sluice-open-step-id") {
    if (absl::SimpleAtoi(value, &step)) error->set_open_step_id(step);
  } else if (absl::SimpleAtoi(value, &number)) {
    AddNumber(key, number, error);
  }
}

absl::Status FieldError(absl::string_view field, absl::string_view message) {
  v1::Error error;
  error.set_code(static_cast<int32_t>(absl::StatusCode::kInvalidArgument));
  error.set_reason(v1::REASON_FIELD_INVALID);
  error.set_field(std::string(field));
  error.set_message(absl::StrCat(field, ": ", message));
  return FromWire(error);
}

absl::Status BadAnswer(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the daemon's answer makes no sense: ", what));
}

ErrorInfo ErrorInfoOf(const absl::Status& status) {
  ErrorInfo info;
  const auto payload = status.GetPayload(kPayload);
  v1::Error error;
  if (!payload || !error.ParseFromString(std::string(*payload))) return info;
  info.reason = FromWire(error.reason());
  info.field = error.field();
  info.retry_after_ms = error.retry_after_ms();
  info.open_step_id = error.open_step_id();
  if (error.has_length()) info.length = error.length();
  if (error.has_rollback_floor()) info.rollback_floor = error.rollback_floor();
  if (error.has_room()) {
    info.room =
        Room{error.room().free_bytes(), error.room().block_bytes(), error.room().missing_bytes()};
  }
  return info;
}

}  // namespace sluice::client
