// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/error_mapping.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/logging.h"
#include "daemon/base/reason.h"
#include "daemon/engine/refusal_details.h"
#include "daemon/rpc/convert_common.h"

namespace sluice {

std::string WireMessage(const absl::Status& status) {
  if (!absl::IsInternal(status) && !absl::IsUnknown(status)) return std::string(status.message());
  LogError("internal_error", {{"status", status.ToString()}});
  return "internal error; see the daemon's log";
}

void FillError(const absl::Status& status, v1::Error* error) {
  error->set_code(static_cast<int32_t>(status.code()));
  error->set_message(WireMessage(status));
  if (const auto refusal = RefusalOf(status)) {
    error->set_reason(FromReason(refusal->reason));
    error->set_field(refusal->field);
    error->set_retry_after_ms(refusal->retry_after_ms);
  }
  const RefusalDetails details = DetailsOf(status);
  error->set_open_step_id(details.open_step_id);
  if (details.length) error->set_length(*details.length);
  if (details.rollback_floor) error->set_rollback_floor(*details.rollback_floor);
  if (details.room) FromRoom(*details.room, error->mutable_room());
}

absl::Status UnderField(absl::string_view parent, const absl::Status& status) {
  const auto refusal = RefusalOf(status);
  if (!refusal || refusal->field.empty()) return status;
  absl::string_view message = status.message();
  absl::ConsumePrefix(&message, absl::StrCat(refusal->field, ": "));
  return Refuse(status.code(), refusal->reason, absl::StrCat(parent, ".", refusal->field), message,
                refusal->retry_after_ms);
}

}  // namespace sluice
