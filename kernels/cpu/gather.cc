// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/gather.h"

#include <algorithm>
#include <type_traits>

#include "kernels/core/layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gather.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
#include "kernels/cpu/line-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

// Lines gathered at once: each piece's order of lanes is loaded once for them.
inline constexpr int64_t kTileLines = 8;

// Slots that follow one another in one vector of their group's lines.
struct Piece {
  const uint32_t* lines = nullptr;  // that vector of the first line
  // By lane of the destination: the source's lane, and all bits where it is taken.
  alignas(64) uint32_t lanes[kGroupSlots];
  alignas(64) uint32_t taken[kGroupSlots];
};

const uint32_t* GroupLines(const SlotPlace& place, int64_t units) {
  return reinterpret_cast<const uint32_t*>(place.page) +
         place.slot / kGroupSlots * units * kGroupSlots;
}

// The pieces of the slots that a vector of the destination's lines takes.
int32_t CutIntoPieces(const SlotPlace* sources, int32_t count, int64_t units, Piece* pieces) {
  constexpr auto kLanes = static_cast<int32_t>(kLineLanes);
  int32_t made = 0;
  for (int32_t i = 0; i < count;) {
    const SlotPlace& first = sources[i];
    Piece& piece = pieces[made++];
    piece.lines = GroupLines(first, units) + first.slot % kGroupSlots / kLanes * kLanes;
    std::fill_n(piece.lanes, kLanes, 0u);
    std::fill_n(piece.taken, kLanes, 0u);
    for (; i < count && sources[i].page == first.page &&
           sources[i].slot / kLanes == first.slot / kLanes;
         ++i) {
      piece.lanes[i] = static_cast<uint32_t>(sources[i].slot % kLanes);
      piece.taken[i] = 0xffffffffu;
    }
  }
  return made;
}

// The lines of the groups that the next page's slots come from.
struct NextGroups {
  const uint32_t* lines[kGroupSlots];
  int32_t count = 0;
};

NextGroups ListGroups(const SlotPlace* sources, int32_t count, int64_t units) {
  NextGroups groups;
  for (int32_t i = 0; i < count; ++i) {
    const uint32_t* lines = GroupLines(sources[i], units);
    if (groups.count > 0 && groups.lines[groups.count - 1] == lines) continue;
    groups.lines[groups.count++] = lines;
  }
  return groups;
}

// Puts the pieces' slots into a vector of each of the destination's lines.
template <bool kStream>
void GatherLanes(const Piece* pieces, int32_t piece_count, int64_t units, const NextGroups& next,
                 uint32_t* to) {
  const LineWords d;
  for (int64_t unit = 0; unit < units; unit += kTileLines) {
    for (int32_t g = 0; g < next.count; ++g) {
      // Not in a lambda: g++ takes one that only prefetches as without effect.
      const uint32_t* wanted = next.lines[g] + unit * kGroupSlots;
      for (int64_t i = 0; i < kTileLines; ++i) {
        __builtin_prefetch(wanted + i * kGroupSlots, 0, 2);
      }
    }
    LineVector lines[kTileLines];
    ForEach<kTileLines>([&](auto i) HWY_ATTR { lines[i] = hn::Zero(d); });
    for (int32_t p = 0; p < piece_count; ++p) {
      const auto lanes = hn::SetTableIndices(d, pieces[p].lanes);
      const auto taken = hn::MaskFromVec(hn::Load(d, pieces[p].taken));
      const uint32_t* from = pieces[p].lines + unit * kGroupSlots;
      ForEach<kTileLines>([&](auto i) HWY_ATTR {
        const auto line = hn::LoadU(d, from + i * kGroupSlots);
        lines[i] = hn::IfThenElse(taken, hn::TableLookupLanes(line, lanes), lines[i]);
      });
    }
    ForEach<kTileLines>([&](auto i) HWY_ATTR {
      PutLine<kStream>(lines[i], to + (unit + static_cast<int64_t>(i)) * kGroupSlots);
    });
  }
}

// The key lines of a group of up to 16 slots.
template <bool kStream>
void GatherGroup(const SlotPlace* sources, int32_t count, const NextGroups& next, int64_t units,
                 uint32_t* to) {
  constexpr auto kLanes = static_cast<int32_t>(kLineLanes);
  Piece pieces[kGroupSlots];
  for (int32_t lane = 0; lane < kGroupSlots; lane += kLanes) {
    const int32_t slots = std::clamp(count - lane, 0, kLanes);
    const int32_t made = CutIntoPieces(sources + std::min(lane, count), slots, units, pieces);
    GatherLanes<kStream && kLineIsVector>(pieces, made, units, lane == 0 ? next : NextGroups(),
                                          to + lane);
  }
}

// to[d] = {half of first[d], half of second[d]}, each the lower or upper one.
template <bool kStream, bool kFirstUpper, bool kSecondUpper>
void PairHalves(const uint32_t* first, const uint32_t* second, const uint32_t* const* next,
                int32_t dims, uint32_t* HWY_RESTRICT to) {
  const LineWords d;
  const auto upper = hn::Set(d, 0xffff0000u);
  for (int32_t i = 0; i < dims; i += kLineLanes) {
    __builtin_prefetch(next[0] + i, 0, 2);
    __builtin_prefetch(next[1] + i, 0, 2);
    const auto a = hn::LoadU(d, first + i);
    const auto b = hn::LoadU(d, second + i);
    const auto low = kFirstUpper ? hn::ShiftRight<16>(a) : hn::AndNot(upper, a);
    const auto high = kSecondUpper ? hn::And(b, upper) : hn::ShiftLeft<16>(b);
    PutLine<kStream>(hn::Or(low, high), to + i);
  }
}

// Values of 2-byte types, two slots at a time.
template <bool kStream>
void GatherPairs(const SlotPlaces& sources, const SlotPlaces& next, int64_t tile_offset,
                 int32_t dims, uint32_t* to) {
  const auto pair_of = [&](const SlotPlace& place) {
    return reinterpret_cast<const uint32_t*>(place.page + tile_offset) + place.slot / 2 * dims;
  };
  for (int32_t i = 0; i + 1 < sources.count; i += 2, to += dims) {
    const SlotPlace& a = sources.slots[i];
    const SlotPlace& b = sources.slots[i + 1];
    const uint32_t* first = pair_of(a);
    const uint32_t* second = pair_of(b);
    const uint32_t* wanted[2] = {i < next.count ? pair_of(next.slots[i]) : first,
                                 i + 1 < next.count ? pair_of(next.slots[i + 1]) : second};
    const auto pair = [&](auto first_upper) HWY_ATTR {
      if (b.slot % 2 != 0) {
        PairHalves<kStream, first_upper, true>(first, second, wanted, dims, to);
      } else {
        PairHalves<kStream, first_upper, false>(first, second, wanted, dims, to);
      }
    };
    if (a.slot % 2 != 0) {
      pair(std::true_type());
    } else {
      pair(std::false_type());
    }
  }
  if (sources.count % 2 == 0) return;
  const SlotPlace& last = sources.slots[sources.count - 1];
  const uint32_t* pair = pair_of(last);
  for (int32_t dim = 0; dim < dims; ++dim) {
    to[dim] = last.slot % 2 != 0 ? pair[dim] >> 16 : pair[dim] & 0xffffu;
  }
}

// Values of fp32.
template <bool kStream>
void GatherRows(const SlotPlaces& sources, const SlotPlaces& next, int64_t tile_offset,
                int32_t dims, uint32_t* to) {
  const LineWords d;
  const auto row_of = [&](const SlotPlace& place) {
    return reinterpret_cast<const uint32_t*>(place.page + tile_offset) + place.slot * dims;
  };
  for (int32_t i = 0; i < sources.count; ++i) {
    const uint32_t* row = row_of(sources.slots[i]);
    const uint32_t* wanted = i < next.count ? row_of(next.slots[i]) : row;
    for (int32_t dim = 0; dim < dims; dim += kLineLanes, to += kLineLanes) {
      __builtin_prefetch(wanted + dim, 0, 2);
      PutLine<kStream>(hn::LoadU(d, row + dim), to);
    }
  }
}

template <bool kStream>
void GatherPage(const PageFormat& format, const SlotPlaces& sources, const SlotPlaces& next,
                std::byte* page) {
  const int64_t element_bytes = DtypeBytes(format.dtype);
  const int64_t units = format.k_dim * element_bytes / 4;
  auto* lines = reinterpret_cast<uint32_t*>(page);
  for (int32_t first = 0; first < format.page_size; first += kGroupSlots) {
    const auto left = [&](const SlotPlaces& places) {
      return std::clamp(places.count - first, 0, kGroupSlots);
    };
    GatherGroup<kStream>(sources.slots + first, left(sources),
                         ListGroups(next.slots + first, left(next), units), units,
                         lines + first / kGroupSlots * units * kGroupSlots);
  }
  const int64_t tile_offset = KTileBytes(format);
  auto* values = reinterpret_cast<uint32_t*>(page + tile_offset);
  const int64_t row_bytes = format.v_dim * element_bytes;
  int64_t written = sources.count * row_bytes;
  if (format.dtype == Dtype::kF32) {
    GatherRows<kStream>(sources, next, tile_offset, format.v_dim, values);
  } else {
    GatherPairs<kStream>(sources, next, tile_offset, format.v_dim, values);
    written = RoundUp(sources.count, 2) * row_bytes;
  }
  std::fill(page + tile_offset + written, page + tile_offset + VTileBytes(format), std::byte{0});
}

void GatherSlotsImpl(const PageFormat& format, const SlotPlaces& sources, const SlotPlaces& next,
                     bool stream, std::byte* page) {
  if (stream) {
    GatherPage<true>(format, sources, next, page);
  } else {
    GatherPage<false>(format, sources, next, page);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice::cpu {

HWY_EXPORT(GatherSlotsImpl);

void GatherSlots(const PageFormat& format, const SlotPlaces& sources, const SlotPlaces& next,
                 bool stream, std::byte* page) {
  HWY_DYNAMIC_DISPATCH(GatherSlotsImpl)(format, sources, next, stream, page);
}

}  // namespace sluice::cpu
#endif  // HWY_ONCE
