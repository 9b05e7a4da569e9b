// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gather.h"

#include <algorithm>
#include <cstring>

#include "kernels/core/layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gather.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Words = hn::CappedTag<uint32_t, kGroupSlots>;

// Copies the lanes `bits` of a vector of each line to the lanes from `lane` on
// of the destination's lines. Lanes beyond may be overwritten, within the line.
void MoveLanes(const uint32_t* from, uint32_t bits, int64_t units, int32_t lane, uint32_t* to) {
  const Words d;
  const auto lanes = static_cast<int32_t>(hn::Lanes(d));
  const uint8_t bytes[8] = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8)};
  const auto kept = hn::LoadMaskBits(d, bytes);
  to += lane;
  if (lane + lanes <= kGroupSlots) {
    for (int64_t unit = 0; unit < units; ++unit) {
      const auto line = hn::LoadU(d, from + unit * kGroupSlots);
      hn::StoreU(hn::Compress(line, kept), d, to + unit * kGroupSlots);
    }
    return;
  }
  const auto room = hn::FirstN(d, static_cast<size_t>(kGroupSlots - lane));
  for (int64_t unit = 0; unit < units; ++unit) {
    const auto line = hn::LoadU(d, from + unit * kGroupSlots);
    hn::BlendedStore(hn::Compress(line, kept), room, d, to + unit * kGroupSlots);
  }
}

// The key lines of up to 16 slots.
void GatherGroup(const SlotPlace* sources, int32_t count, int64_t units, uint32_t* to) {
  const auto lanes = static_cast<int32_t>(hn::Lanes(Words()));
  for (int32_t i = 0; i < count;) {
    const SlotPlace& first = sources[i];
    const int32_t block = first.slot / lanes;
    uint32_t bits = 0;
    int32_t end = i;
    while (end < count && sources[end].page == first.page && sources[end].slot / lanes == block) {
      bits |= 1u << (sources[end++].slot % lanes);
    }
    const auto* lines = reinterpret_cast<const uint32_t*>(first.page) +
                        first.slot / kGroupSlots * units * kGroupSlots +
                        block * lanes % kGroupSlots;
    MoveLanes(lines, bits, units, i, to);
    i = end;
  }
  for (int64_t unit = 0; count < kGroupSlots && unit < units; ++unit) {
    std::fill(to + unit * kGroupSlots + count, to + (unit + 1) * kGroupSlots, 0u);
  }
}

// to[d] = {half of first[d], half of second[d]}, each the lower or upper one.
void PairHalves(const uint32_t* first, bool first_upper, const uint32_t* second, bool second_upper,
                int32_t dims, uint32_t* HWY_RESTRICT to) {
  const hn::CappedTag<uint32_t, 8> d;
  const auto upper = hn::Set(d, 0xffff0000u);
  const auto lanes = static_cast<int32_t>(hn::Lanes(d));
  for (int32_t i = 0; i < dims; i += lanes) {
    const auto a = hn::LoadU(d, first + i);
    const auto b = hn::LoadU(d, second + i);
    const auto low = first_upper ? hn::ShiftRight<16>(a) : hn::AndNot(upper, a);
    const auto high = second_upper ? hn::And(b, upper) : hn::ShiftLeft<16>(b);
    hn::StoreU(hn::Or(low, high), d, to + i);
  }
}

void GatherPairs(const SlotPlace* sources, int32_t count, int64_t tile_offset, int32_t dims,
                 uint32_t* to) {
  const auto pair_of = [&](const SlotPlace& place) {
    return reinterpret_cast<const uint32_t*>(place.page + tile_offset) + place.slot / 2 * dims;
  };
  for (int32_t i = 0; i < count; i += 2, to += dims) {
    const SlotPlace& a = sources[i];
    if (i + 1 == count) {
      const uint32_t* pair = pair_of(a);
      for (int32_t dim = 0; dim < dims; ++dim) {
        to[dim] = a.slot % 2 != 0 ? pair[dim] >> 16 : pair[dim] & 0xffffu;
      }
      return;
    }
    const SlotPlace& b = sources[i + 1];
    PairHalves(pair_of(a), a.slot % 2 != 0, pair_of(b), b.slot % 2 != 0, dims, to);
  }
}

void GatherSlotsImpl(const PageFormat& format, const SlotPlace* sources, int32_t count,
                     std::byte* page) {
  const int64_t element_bytes = DtypeBytes(format.dtype);
  const int64_t units = format.k_dim * element_bytes / 4;
  auto* lines = reinterpret_cast<uint32_t*>(page);
  for (int32_t first = 0; first < format.page_size; first += kGroupSlots) {
    const int32_t slots = std::clamp(count - first, 0, kGroupSlots);
    GatherGroup(sources + std::min(first, count), slots, units,
                lines + first / kGroupSlots * units * kGroupSlots);
  }
  const int64_t tile_offset = KTileBytes(format);
  std::byte* values = page + tile_offset;
  const int64_t row_bytes = format.v_dim * element_bytes;
  int64_t written = count * row_bytes;
  if (format.dtype == Dtype::kF32) {
    for (int32_t i = 0; i < count; ++i) {
      std::memcpy(values + i * row_bytes, sources[i].page + tile_offset + sources[i].slot * row_bytes,
                  static_cast<size_t>(row_bytes));
    }
  } else {
    GatherPairs(sources, count, tile_offset, format.v_dim, reinterpret_cast<uint32_t*>(values));
    written = RoundUp(count, 2) * row_bytes;
  }
  std::memset(values + written, 0, static_cast<size_t>(VTileBytes(format) - written));
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(GatherSlotsImpl);

void GatherSlots(const PageFormat& format, const SlotPlace* sources, int32_t count,
                 std::byte* page) {
  HWY_DYNAMIC_DISPATCH(GatherSlotsImpl)(format, sources, count, page);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
