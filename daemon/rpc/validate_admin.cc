// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/validate_admin.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"

namespace sluice {
namespace {

constexpr int64_t kMaxPageSize = 1000;
constexpr absl::Duration kMaxDrainTimeout = absl::Minutes(10);

}  // namespace

absl::Status Validate(const v1::InspectSequenceRequest& request, const RequestRules& rules) {
  return CheckId("sequence_id", request.sequence_id(), rules.epoch);
}

absl::Status Validate(const v1::ReclaimRequest& request) {
  if (request.target_bytes() >= 0) return absl::OkStatus();
  return RefuseField("target_bytes",
                     absl::StrCat("must not be negative, got ", request.target_bytes()));
}

absl::Status Validate(const v1::DrainRequest& request) {
  return CheckDuration("timeout", request.timeout(), absl::ZeroDuration(), kMaxDrainTimeout);
}

absl::StatusOr<PageRequest> ToPageRequest(int32_t page_size, const std::string& page_token) {
  SLUICE_RETURN_IF_ERROR(CheckRange("page_size", page_size, 0, kMaxPageSize));
  PageRequest page;
  page.limit = page_size == 0 ? kMaxPageSize : page_size;
  if (page_token.empty()) return page;
  if (!absl::SimpleAtoi(page_token, &page.after) || PageToken(page.after) != page_token) {
    return RefuseField("page_token", "must be the next_page_token of an earlier answer");
  }
  return page;
}

std::string PageToken(uint64_t last_id) { return absl::StrCat(last_id); }

}  // namespace sluice
