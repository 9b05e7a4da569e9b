// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Gathering slots of pages into a page of the same format.

#include <cstddef>
#include <cstdint>

#include "kernels/page_format.h"

namespace sluice::cpu {

// The most slots of a page.
inline constexpr int32_t kMaxPageSlots = 64;

// One slot of a page.
struct SlotPlace {
  const std::byte* page = nullptr;  // K tile, then V tile
  int32_t slot = 0;
};

// The slots of a page to be written, in order.
struct SlotPlaces {
  SlotPlace slots[kMaxPageSlots];
  int32_t count = 0;
};

// Writes the K and V tiles of a page: slot i is `sources.slots[i]`, slots from
// the count on are zeros. `next` is brought near meanwhile. Thread-safe over
// different pages.
//
// With `stream` it goes past the caches, and the caller ends with
// hwy::FlushStream(): for more bytes than caches keep.
void GatherSlots(const PageFormat& format, const SlotPlaces& sources, const SlotPlaces& next,
                 bool stream, std::byte* page);

}  // namespace sluice::cpu
