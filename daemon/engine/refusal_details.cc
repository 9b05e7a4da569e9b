// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/refusal_details.h"

#include <cstring>
#include <type_traits>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace sluice {
namespace {

constexpr char kUrl[] = "sluice.v1/details";
static_assert(std::is_trivially_copyable_v<RefusalDetails>);

}  // namespace

absl::Status WithDetails(absl::Status status, const RefusalDetails& details) {
  status.SetPayload(kUrl, absl::Cord(absl::string_view(reinterpret_cast<const char*>(&details),
                                                       sizeof(details))));
  return status;
}

RefusalDetails DetailsOf(const absl::Status& status) {
  RefusalDetails details;
  const auto payload = status.GetPayload(kUrl);
  if (!payload.has_value() || payload->size() != sizeof(details)) return details;
  const std::string bytes(*payload);
  std::memcpy(&details, bytes.data(), sizeof(details));
  return details;
}

}  // namespace sluice
