// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Putting rows of keys and values into a page. Shared by Append and Import.

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/work.h"
#include "kernels/dtype.h"

namespace sluice::cpu {

// Where the rows of consecutive slots come from.
struct SlotSource {
  const std::byte* k = nullptr;  // first slot's key, k_dim elements
  const std::byte* v = nullptr;  // first slot's value, v_dim elements
  int64_t k_stride_bytes = 0;    // from one slot's key to the next one's
  int64_t v_stride_bytes = 0;
  Dtype k_dtype = Dtype::kF32;
  Dtype v_dtype = Dtype::kF32;
  int64_t first_position = 0;          // of the first slot, without `positions`
  const int32_t* positions = nullptr;  // a slot each; null: they ascend by 1
  const float* log_mass = nullptr;     // a slot each; null: 0
  // What is brought near while a group of 16 is stored, none of which need
  // exist: from each row the one that far on, which is wanted next, and as many
  // bytes as the group's keys or values have, wanted later (null: none).
  int64_t k_ahead_bytes = 0;
  int64_t v_ahead_bytes = 0;
  const std::byte* k_later = nullptr;
  const std::byte* v_later = nullptr;
  // Whole groups of 16 go past the caches: for more bytes than caches keep. The
  // caller then ends with hwy::FlushStream().
  bool stream = false;
};

// Writes slots [first_slot, first_slot + count) of a page with their side
// arrays, converted to the format's dtype and in its layout.
// A slot whose key or value is not finite as stored, or whose log_mass is
// -inf, takes zeros, log_mass -inf and key_norm +inf; returns how many did.
//
// What is stored of a slot does not depend on the slots written with it.
// Thread-safe over disjoint groups of 16 slots.
int64_t StoreSlots(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot, int32_t count, const SlotSource& source,
                   WorkerScratch& scratch);

// Makes a page ready for slots from its first one on: cleared, but for what the
// next `slots` slots will overwrite in any case.
void OpenPage(const PoolView& pool, const SpanFormat& format, uint32_t page, int64_t slots);

// Brings what StoreSlots will write of a page near, in the background.
void PrefetchSlots(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot, int32_t count);

// The same for the side arrays of a group of 16 only: what goes past the caches
// needs nothing else, but waits behind stores that miss them.
void PrefetchSides(const PoolView& pool, const SpanFormat& format, uint32_t page,
                   int32_t first_slot);

// Zeroes a page's bytes, side arrays and flags.
void ClearPage(const PoolView& pool, const SpanFormat& format, uint32_t page);

}  // namespace sluice::cpu
