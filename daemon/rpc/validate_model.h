// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "daemon/rpc/validate_common.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice {

// What a geometry must be for conversion to be without loss: enums that exist,
// optional values that the domain writes as another number, counts. Ranges and
// consistency are Model::Create's. FIELD_INVALID. Pure: thread-safe.
absl::Status Validate(const v1::RegisterModelRequest& request, const RequestRules& rules);

}  // namespace sluice
