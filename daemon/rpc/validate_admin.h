// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/rpc/validate_common.h"
#include "sluice/v1/admin.pb.h"

namespace sluice {

// FIELD_INVALID each, as admin.proto lists. Pure functions: thread-safe.
absl::Status Validate(const v1::InspectSequenceRequest& request, const RequestRules& rules);
absl::Status Validate(const v1::ReclaimRequest& request);
absl::Status Validate(const v1::DrainRequest& request);

// One page of a list in ascending order of ids.
struct PageRequest {
  uint64_t after = 0;  // ids greater than this
  int64_t limit = 0;   // 1 to 1000
};

// FIELD_INVALID: `page_size` is negative or above 1000, or `page_token` is not
// one that PageToken made.
absl::StatusOr<PageRequest> ToPageRequest(int32_t page_size, const std::string& page_token);

// The token of the page that begins after `last_id`.
std::string PageToken(uint64_t last_id);

}  // namespace sluice
