// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/slot_move.h"

#include <cstddef>
#include <cstring>

#include "kernels/core/layout.h"

namespace sluice::cpu {
namespace {

// Where the words of a slot's key begin; they lie kGroupSlots apart.
uint32_t* KeyWords(std::byte* tile, int64_t units, int32_t slot) {
  return reinterpret_cast<uint32_t*>(tile) + slot / kGroupSlots * units * kGroupSlots +
         slot % kGroupSlots;
}

void CopyValue(const PageFormat& format, const std::byte* from, int32_t from_slot, std::byte* to,
               int32_t to_slot) {
  if (format.dtype == Dtype::kF32) {
    const int64_t bytes = int64_t{format.v_dim} * 4;
    std::memcpy(to + to_slot * bytes, from + from_slot * bytes, static_cast<size_t>(bytes));
    return;
  }
  const auto* source = reinterpret_cast<const uint16_t*>(from) + VOffset(format, from_slot, 0);
  auto* target = reinterpret_cast<uint16_t*>(to) + VOffset(format, to_slot, 0);
  for (int32_t i = 0; i < 2 * format.v_dim; i += 2) target[i] = source[i];
}

}  // namespace

void CopySlot(const PoolView& pool, const SpanFormat& format, const SlotAddress& from,
              const SlotAddress& to) {
  const SlabLayout& slab = format.slab;
  std::byte* source = PageData(pool, slab, from.page);
  std::byte* target = PageData(pool, slab, to.page);
  const int64_t units = int64_t{format.page.k_dim} * DtypeBytes(format.page.dtype) / 4;
  const uint32_t* source_words = KeyWords(source, units, from.slot);
  uint32_t* target_words = KeyWords(target, units, to.slot);
  for (int64_t unit = 0; unit < units; ++unit) {
    target_words[unit * kGroupSlots] = source_words[unit * kGroupSlots];
  }
  CopyValue(format.page, source + KTileBytes(format.page), from.slot,
            target + KTileBytes(format.page), to.slot);
  PagePositions(pool, slab, to.page)[to.slot] = PagePositions(pool, slab, from.page)[from.slot];
  PageKeyNorms(pool, slab, to.page)[to.slot] = PageKeyNorms(pool, slab, from.page)[from.slot];
  const float log_mass = PageLogMass(pool, slab, from.page)[from.slot];
  PageLogMass(pool, slab, to.page)[to.slot] = log_mass;
  if (log_mass != 0.0f) *PageFlags(pool, slab, to.page) |= kPageHasMass;
}

}  // namespace sluice::cpu
