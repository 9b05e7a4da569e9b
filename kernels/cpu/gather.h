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

// Writes the K and V tiles of a page: slot i is `sources[i]`, slots from
// `count` on are zeros. Thread-safe over different pages.
void GatherSlots(const PageFormat& format, const SlotPlace* sources, int32_t count,
                 std::byte* page);

}  // namespace sluice::cpu
