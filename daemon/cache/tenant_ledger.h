// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "daemon/cache/ids.h"

namespace sluice {

struct TenantLimits {
  int64_t max_bytes = std::numeric_limits<int64_t>::max();
  int64_t guaranteed_bytes = 0;
  int64_t max_sequences = std::numeric_limits<int64_t>::max();
};

struct TenantUsage {
  int64_t bytes = 0;  // of its pages in use; a shared page counts once
  int64_t sequences = 0;

  friend bool operator==(const TenantUsage&, const TenantUsage&) = default;
};

// What each tenant holds and may hold.
//
// Not thread-safe: owned by the engine thread.
class TenantLedger {
 public:
  TenantId Add(const TenantLimits& limits);
  // What is held already stays, whatever the new limits are.
  void SetLimits(TenantId tenant, const TenantLimits& limits);

  const TenantLimits& limits(TenantId tenant) const { return at(tenant).limits; }
  const TenantUsage& usage(TenantId tenant) const { return at(tenant).usage; }
  int64_t tenant_count() const { return static_cast<int64_t>(tenants_.size()); }

  // Bytes by which `bytes` more would exceed the tenant's maximum; 0 if they fit.
  int64_t MissingBytes(TenantId tenant, int64_t bytes) const;
  // RESOURCE_EXHAUSTED, TENANT_QUOTA: the tenant is at its number of sequences.
  absl::Status AddSequence(TenantId tenant);
  void RemoveSequence(TenantId tenant);
  // Negative: given back. Not checked against the maximum: a job may exceed it
  // until the pages that it replaces have gone.
  void ChargeBytes(TenantId tenant, int64_t bytes);

 private:
  struct Account {
    TenantLimits limits;
    TenantUsage usage;
  };

  const Account& at(TenantId tenant) const;
  Account& at(TenantId tenant);

  std::vector<Account> tenants_;
};

}  // namespace sluice
