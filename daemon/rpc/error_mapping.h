// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "sluice/v1/types.pb.h"

namespace sluice {

// What of a status clients may read: the message of INTERNAL and UNKNOWN could
// hold paths and addresses, so it goes to the log and not over the wire.
std::string WireMessage(const absl::Status& status);

// `status` as the wire's refusal. REQUIRES: it is not OK.
void FillError(const absl::Status& status, v1::Error* error);

// `status` with its field named from `parent` on: `layers[0]` becomes
// `geometry.layers[0]`. As it is where it names no field.
absl::Status UnderField(absl::string_view parent, const absl::Status& status);

}  // namespace sluice
