// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Reading and writing single slots of pages, element by element. Stateless.

#include <cstdint>
#include <vector>

#include "kernels/core/rows.h"

namespace sluice::reference {

// Where one slot lies.
struct SlotPlace {
  const SpanFormat* format = nullptr;
  uint32_t page = kNoPage;
  int32_t slot = 0;  // of the page
};

// A key or a value: k_dim or v_dim elements, exactly as stored.
using Vector = std::vector<float>;

// Everything that is stored of one slot.
struct SlotContent {
  Vector k;
  Vector v;
  int32_t position = 0;
  float log_mass = 0.0f;
  float key_norm = 0.0f;
};

// The place of slot `slot` of a span, and of slot `slot` of a row's spans in order.
SlotPlace PlaceInSpan(const Span& span, int64_t slot);
SlotPlace PlaceInRow(const Row& row, int64_t slot);

// True position of slot `slot` of a row.
int64_t PositionInRow(const PoolView& pool, const Row& row, int64_t slot);

// `count` elements of a dense array, from element `first` on.
Vector LoadVector(const void* base, Dtype dtype, int64_t first, int32_t count);

SlotContent ReadSlot(const PoolView& pool, const SlotPlace& place);

// Writes a slot and, where log_mass is not 0, the flag of its page.
void WriteSlot(const PoolView& pool, const SlotPlace& place, const SlotContent& content);

// The content of a slot that takes `k` and `v`, rounded to the stored dtype: what
// Append stores, with zeros, -inf and +inf for what is not finite there (or
// arrives with a log_mass of -inf).
SlotContent MakeContent(const PageFormat& format, Vector k, Vector v, int64_t position,
                        float log_mass);

// Zeroes a page's bytes, side arrays and flags.
void ClearPage(const PoolView& pool, const SpanFormat& format, uint32_t page);

}  // namespace sluice::reference
