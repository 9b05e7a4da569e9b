// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Where the observation rows of a sequence lie: for one layer, its newest query
// rows as a ring in one piece of memory. The row of true position p is row
// `p % capacity`. Stateless; safe over disjoint rows.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/core/host_device.h"
#include "kernels/core/number.h"
#include "kernels/core/view.h"
#include "kernels/page_format.h"

namespace sluice {

// The parts of a ring, offsets in bytes from its start, each 64-byte aligned:
//   int32 positions [capacity], the true position of each row; -1: nothing there
//   float lse [capacity, q_heads], the rows' natural log-sum-exp as Attend gives
//     it; NaN: not known; -inf: the row saw nothing, or was not finite
//   q [capacity, q_heads, k_dim] in `dtype`
struct ObservationLayout {
  int32_t capacity = 0;  // rows
  int32_t q_heads = 0;
  int32_t k_dim = 0;
  Dtype dtype = Dtype::kF32;
  int64_t position_offset = 0;
  int64_t lse_offset = 0;
  int64_t q_offset = 0;
  int64_t bytes = 0;  // of the whole ring
};

inline constexpr int64_t kObservationAlignment = 64;

SLUICE_HD constexpr ObservationLayout MakeObservationLayout(int32_t capacity, int32_t q_heads,
                                                            int32_t k_dim, Dtype dtype) {
  ObservationLayout layout;
  layout.capacity = capacity;
  layout.q_heads = q_heads;
  layout.k_dim = k_dim;
  layout.dtype = dtype;
  const int64_t heads = int64_t{capacity} * q_heads;
  layout.lse_offset = RoundUp(int64_t{capacity} * 4, kObservationAlignment);
  layout.q_offset = layout.lse_offset + RoundUp(heads * 4, kObservationAlignment);
  layout.bytes =
      layout.q_offset + RoundUp(heads * k_dim * DtypeBytes(dtype), kObservationAlignment);
  return layout;
}

// Byte offsets of what is kept of the row of true position `position` >= 0: its
// position, the lse of its first query head, and the first element of a head's q.
SLUICE_HD constexpr int64_t ObservedPositionOffset(const ObservationLayout& layout,
                                                   int64_t position) {
  return layout.position_offset + position % layout.capacity * 4;
}

SLUICE_HD constexpr int64_t ObservedLseOffset(const ObservationLayout& layout, int64_t position) {
  return layout.lse_offset + position % layout.capacity * layout.q_heads * 4;
}

SLUICE_HD constexpr int64_t ObservedQueryOffset(const ObservationLayout& layout, int64_t position,
                                                int32_t head) {
  const int64_t vector = position % layout.capacity * layout.q_heads + head;
  return layout.q_offset + vector * layout.k_dim * DtypeBytes(layout.dtype);
}

// The ring of an entry for layer `layer` of the model; null: none is kept.
SLUICE_HD inline std::byte* ObservationRingOf(const PoolView& pool, const ViewEntry& entry,
                                              int32_t layer) {
  if (entry.observation_list_offset == kNoOffset) return nullptr;
  const auto* offsets =
      reinterpret_cast<const uint64_t*>(pool.tables + entry.observation_list_offset);
  return offsets[layer] == kNoOffset ? nullptr : pool.pool + offsets[layer];
}

// The layout of an entry's rings.
SLUICE_HD inline ObservationLayout ObservationLayoutOf(const PoolView& pool,
                                                       const ViewEntry& entry, int32_t q_heads,
                                                       int32_t k_dim) {
  return MakeObservationLayout(entry.observation_capacity, q_heads, k_dim,
                               pool.formats[entry.tail_format].page.dtype);
}

// Whether the ring holds the row of `position`.
SLUICE_HD inline bool HoldsObservation(const std::byte* ring, const ObservationLayout& layout,
                                       int64_t position) {
  const std::byte* place = ring + ObservedPositionOffset(layout, position);
  return *reinterpret_cast<const int32_t*>(place) == position;
}

// Makes fresh memory a ring without rows.
SLUICE_HD inline void ClearObservation(std::byte* ring, const ObservationLayout& layout) {
  auto* positions = reinterpret_cast<int32_t*>(ring + layout.position_offset);
  for (int32_t row = 0; row < layout.capacity; ++row) positions[row] = -1;
}

// Makes a ring hold what `source` holds of the positions below `length`, and nothing
// else. `source` may be the ring itself; null: it holds nothing.
SLUICE_HD inline void CarryObservation(const std::byte* source, const ObservationLayout& layout,
                                       int64_t length, std::byte* ring) {
  if (source == nullptr) return ClearObservation(ring, layout);
  if (source != ring) std::memcpy(ring, source, static_cast<size_t>(layout.bytes));
  auto* positions = reinterpret_cast<int32_t*>(ring + layout.position_offset);
  for (int32_t row = 0; row < layout.capacity; ++row) {
    if (positions[row] >= length) positions[row] = -1;
  }
}

// The lse of a row of which it is not known.
inline constexpr uint32_t kUnknownLseBits = 0x7fc00000u;

// Whether a kept lse is known. Independent of -ffast-math.
SLUICE_HD inline bool LseIsKnown(float lse) {
  return (FloatBits(lse) & 0x7fffffffu) <= 0x7f800000u;
}

// The position from which on rows are kept of an entry whose last token stands
// before `end_position`: earlier ones would be overwritten within the step.
SLUICE_HD constexpr int64_t FirstObservedPosition(int64_t end_position, int32_t capacity) {
  return end_position - capacity;
}

}  // namespace sluice
