// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Copying single slots between pages of one format.

#include <cstdint>

#include "kernels/core/view.h"

namespace sluice::cpu {

// A slot of a page.
struct SlotAddress {
  uint32_t page = kNoPage;
  int32_t slot = 0;
};

// Copies a slot's bytes and side arrays, and what its log_mass asks of the page's
// flags. Thread-safe over disjoint pages.
void CopySlot(const PoolView& pool, const SpanFormat& format, const SlotAddress& from,
              const SlotAddress& to);

}  // namespace sluice::cpu
