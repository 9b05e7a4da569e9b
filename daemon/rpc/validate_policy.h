// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "daemon/rpc/field_path.h"
#include "sluice/v1/policy.pb.h"

namespace sluice {

// What of a policy can be checked before a preset is looked up: enums, counts,
// numbers. FIELD_INVALID naming a field under `path`. Pure: thread-safe.
absl::Status ValidatePolicy(const FieldPath& path, const v1::Policy& policy);

}  // namespace sluice
