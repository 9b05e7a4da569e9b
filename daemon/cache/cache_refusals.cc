// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/cache_refusals.h"

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"

namespace sluice {

absl::Status RefuseUnknown(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kNotFound, Reason::kUnknownSequence, field,
                absl::StrCat("there is no sequence ", sequence.value));
}

absl::Status RefuseOpen(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStepOpen, field,
                absl::StrCat("a step is open on sequence ", sequence.value));
}

absl::Status RefuseLost(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kAborted, Reason::kSequenceLost, field,
                absl::StrCat("sequence ", sequence.value, " is lost; it can only be freed"));
}

absl::Status RefuseShort(const Shortage& shortage) {
  // Of two bounds the one that lacks more decides; a maximum of the whole pool is none.
  if (shortage.quota_bytes > shortage.pool_bytes) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "",
                  absl::StrCat("the tenant's maximum is ", shortage.quota_bytes,
                               " bytes too small"));
  }
  return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                absl::StrCat("the pool is ", shortage.pool_bytes, " bytes short"));
}

}  // namespace sluice
