// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Vectors of the lines of a page. Compiled once per SIMD target: include it only
// from a file that foreach_target.h compiles, after hwy/highway.h.

#if defined(SLUICE_KERNELS_CPU_LINE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_KERNELS_CPU_LINE_INL_H_
#undef SLUICE_KERNELS_CPU_LINE_INL_H_
#else
#define SLUICE_KERNELS_CPU_LINE_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "hwy/highway.h"
#include "kernels/core/layout.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors of words, up to a line of a group's 16 slots.
using LineWords = hn::CappedTag<uint32_t, kGroupSlots>;
using LineVector = hn::Vec<LineWords>;
using LineFloats = hn::Rebind<float, LineWords>;
inline constexpr int64_t kLineLanes = HWY_MIN(kGroupSlots, HWY_LANES(uint32_t));

// Whether lines may go past the caches one by one: only whole ones are worth it.
inline constexpr bool kLineIsVector = kLineLanes == kGroupSlots;

template <bool kStream>
HWY_INLINE void PutLine(LineVector line, uint32_t* to) {
  if constexpr (kStream) {
    hn::Stream(line, LineWords(), to);
  } else {
    hn::StoreU(line, LineWords(), to);
  }
}

// Calls f with the constants 0 .. kCount - 1, so that arrays of vectors stay in registers.
template <class F, size_t... kIndex>
HWY_INLINE void ForEach(std::index_sequence<kIndex...>, const F& f) {
  (f(std::integral_constant<size_t, kIndex>()), ...);
}
template <size_t kCount, class F>
HWY_INLINE void ForEach(const F& f) {
  ForEach(std::make_index_sequence<kCount>(), f);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#endif
