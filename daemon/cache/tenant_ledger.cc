// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/tenant_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"

namespace sluice {

TenantId TenantLedger::Add(const TenantLimits& limits) {
  tenants_.push_back({limits, {}});
  return {static_cast<uint32_t>(tenants_.size() - 1)};
}

void TenantLedger::SetLimits(TenantId tenant, const TenantLimits& limits) {
  at(tenant).limits = limits;
}

int64_t TenantLedger::MissingBytes(TenantId tenant, int64_t bytes) const {
  const Account& account = at(tenant);
  if (bytes <= 0) return 0;
  // Written so that a maximum near 2^63 cannot overflow.
  return std::max<int64_t>(bytes - (account.limits.max_bytes - account.usage.bytes), 0);
}

absl::Status TenantLedger::AddSequence(TenantId tenant) {
  Account& account = at(tenant);
  if (account.usage.sequences >= account.limits.max_sequences) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "",
                  absl::StrCat("the tenant has ", account.usage.sequences,
                               " sequences and may have ", account.limits.max_sequences));
  }
  ++account.usage.sequences;
  return absl::OkStatus();
}

void TenantLedger::RemoveSequence(TenantId tenant) {
  SLUICE_CHECK(at(tenant).usage.sequences > 0) << "tenant " << tenant.value;
  --at(tenant).usage.sequences;
}

void TenantLedger::ChargeBytes(TenantId tenant, int64_t bytes) {
  int64_t& used = at(tenant).usage.bytes;
  used += bytes;
  SLUICE_CHECK(used >= 0) << "tenant " << tenant.value << " holds " << used << " bytes";
}

const TenantLedger::Account& TenantLedger::at(TenantId tenant) const {
  SLUICE_CHECK(tenant.value < tenants_.size()) << "tenant " << tenant.value;
  return tenants_[tenant.value];
}

TenantLedger::Account& TenantLedger::at(TenantId tenant) {
  SLUICE_CHECK(tenant.value < tenants_.size()) << "tenant " << tenant.value;
  return tenants_[tenant.value];
}

}  // namespace sluice
