// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/step_demand.h"

#include <algorithm>

namespace sluice {

void StepDemand::Add(SizeClassId size_class, TenantId tenant, int64_t pages) {
  const auto same = std::find_if(demands_.begin(), demands_.end(), [&](const PageDemand& d) {
    return d.size_class == size_class && d.tenant == tenant;
  });
  if (same == demands_.end()) {
    demands_.push_back({size_class, tenant, pages});
  } else {
    same->pages += pages;
  }
}

int64_t StepDemand::pages(SizeClassId size_class, TenantId tenant) const {
  for (const PageDemand& d : demands_) {
    if (d.size_class == size_class && d.tenant == tenant) return d.pages;
  }
  return 0;
}

bool StepDemand::any() const {
  return std::any_of(demands_.begin(), demands_.end(),
                     [](const PageDemand& d) { return d.pages > 0; });
}

Shortage StepDemand::MissingIn(const PagePool& pool, const TenantLedger& tenants) const {
  Shortage shortage;
  shortage.pool_bytes = pool.MissingBytes(demands_, Purpose::kAppend);
  for (auto first = demands_.begin(); first != demands_.end(); ++first) {
    const auto same = [&](const PageDemand& d) { return d.tenant == first->tenant; };
    if (std::any_of(demands_.begin(), first, same)) continue;  // counted with the first
    int64_t bytes = 0;
    for (auto it = first; it != demands_.end(); ++it) {
      if (same(*it)) bytes += std::max<int64_t>(it->pages, 0) * pool.page_bytes(it->size_class);
    }
    shortage.quota_bytes += tenants.MissingBytes(first->tenant, bytes);
  }
  return shortage;
}

}  // namespace sluice
