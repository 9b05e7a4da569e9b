// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cpp/error_info.h"
#include "sluice/v1/types.pb.h"

namespace sluice::client {

// Internal: how refusals become statuses. All are thread-safe.

// The status that `error` says, carrying it for ErrorInfoOf. INTERNAL if its code
// is 0; UNKNOWN for a code that does not exist.
absl::Status FromWire(const v1::Error& error);

// Adds one entry of a unary call's trailing metadata to `error`; ignores keys
// that are not the daemon's, and numbers that are none.
void AddMetadata(absl::string_view key, absl::string_view value, v1::Error* error);

// A wire reason, kNone for one that this library does not know.
Reason FromWire(v1::Reason reason);

// INVALID_ARGUMENT, kFieldInvalid, as the daemon would refuse it.
absl::Status FieldError(absl::string_view field, absl::string_view message);

// INTERNAL: the daemon's answer makes no sense.
absl::Status BadAnswer(absl::string_view what);

}  // namespace sluice::client
