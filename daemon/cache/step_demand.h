// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/cache/ids.h"
#include "daemon/cache/page_pool.h"
#include "daemon/cache/tenant_ledger.h"

namespace sluice {

// What the pool or the tenants' maxima lack.
struct Shortage {
  int64_t pool_bytes = 0;
  int64_t quota_bytes = 0;

  bool any() const { return pool_bytes > 0 || quota_bytes > 0; }
};

// The pages that the entries of a step want together. A step is nearly always of
// one size class and tenant, so the list is short.
//
// Not thread-safe: owned by its caller.
class StepDemand {
 public:
  // `pages` may be negative: takes back what was added.
  void Add(SizeClassId size_class, TenantId tenant, int64_t pages);

  // What is wanted now; negative: more was taken back.
  int64_t pages(SizeClassId size_class, TenantId tenant) const;
  bool any() const;
  Shortage MissingIn(const PagePool& pool, const TenantLedger& tenants) const;

 private:
  std::vector<PageDemand> demands_;
};

}  // namespace sluice
