// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <utility>

namespace sluice {

// A number that cannot be taken for one of another kind.
template <class Tag, class Value>
struct StrongId {
  Value value{};

  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

  template <class H>
  friend H AbslHashValue(H state, const StrongId& id) {
    return H::combine(std::move(state), id.value);
  }
};

using SlabId = StrongId<struct SlabTag, uint32_t>;
using SizeClassId = StrongId<struct SizeClassTag, uint32_t>;  // dense, from 0
using TenantId = StrongId<struct TenantTag, uint32_t>;        // dense, from 0
using BlockId = StrongId<struct BlockTag, uint32_t>;          // small; used again once released
using BodiesId = StrongId<struct BodiesTag, uint32_t>;        // small; used again once released
using SequenceId = StrongId<struct SequenceTag, uint64_t>;    // counts up from 1; never used again

// A page: slab number, then index in the slab.
struct PageId {
  static constexpr int32_t kIndexBits = 14;
  static constexpr int64_t kMaxPerSlab = int64_t{1} << kIndexBits;

  uint32_t value = 0;

  static constexpr PageId Make(SlabId slab, uint32_t index) {
    return {(slab.value << kIndexBits) | index};
  }
  constexpr SlabId slab() const { return {value >> kIndexBits}; }
  constexpr uint32_t index() const { return value & (kMaxPerSlab - 1); }

  friend constexpr auto operator<=>(const PageId&, const PageId&) = default;
};

// A place in the order of each lane's operations.
struct LaneTickets {
  uint64_t foreground = 0;
  uint64_t background = 0;

  // True if both lanes have finished what `this` names.
  constexpr bool PassedBy(const LaneTickets& completed) const {
    return foreground <= completed.foreground && background <= completed.background;
  }

  friend constexpr bool operator==(const LaneTickets&, const LaneTickets&) = default;
};

}  // namespace sluice
