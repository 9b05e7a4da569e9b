// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What of a step's calls can be checked without knowing the step. Pure
// functions: thread-safe. Errors: as kv_cache.proto lists them, those that need
// no state.

#include "absl/status/status.h"
#include "daemon/rpc/validate_common.h"
#include "sluice/v1/step.pb.h"

namespace sluice {

absl::Status Validate(const v1::BeginStepRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::EndStepRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::AppendRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::AttendRequest& request, const RequestRules& rules);

}  // namespace sluice
