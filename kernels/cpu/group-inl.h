// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// A whole group of 16 rows into the bytes of a page, in one pass: keys are
// turned, brought into lane order and summed while they are in registers.
// Compiled once per SIMD target: include it only from a file that
// foreach_target.h compiles, after hwy/highway.h.

#if defined(SLUICE_KERNELS_CPU_GROUP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_KERNELS_CPU_GROUP_INL_H_
#undef SLUICE_KERNELS_CPU_GROUP_INL_H_
#else
#define SLUICE_KERNELS_CPU_GROUP_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"
#include "kernels/core/layout.h"
#include "kernels/cpu/line-inl.h"
#include "kernels/cpu/stage-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

// How the words of lines come out of those of rows.
enum class LaneOrder {
  kPlain,       // line i is word i of the rows
  kHalves16,    // lines 2i and 2i + 1 pair the 2-byte elements of word i of two halves
  kHalves32,    // line 2i is word i of the first half, 2i + 1 that of the second
};

// What is fetched while rows are stored: the rows wanted next, into the first
// cache, and as many bytes as 16 rows have that are wanted later.
struct Ahead {
  int64_t row_bytes = 0;             // from each row to the one wanted next
  const std::byte* later = nullptr;  // null: nothing
};

inline constexpr int64_t kCacheLineBytes = 64;

HWY_INLINE void FetchLater(Ahead ahead, int64_t offset) {
  if (ahead.later != nullptr) __builtin_prefetch(ahead.later + offset, 0, 2);
}

HWY_INLINE void FetchNext(Ahead ahead, const void* place) {
  __builtin_prefetch(static_cast<const std::byte*>(place) + ahead.row_bytes, 0, 3);
}

// The sums of squares of the classes of kSumClasses, of lower and upper numbers.
struct ClassSums {
  hn::Vec<LineFloats> even[kSumClasses];
  hn::Vec<LineFloats> odd[kSumClasses];
};

// Four words, from byte `offset` on, of every fourth row from rows[0] on.
template <class D>
HWY_INLINE hn::Vec<D> LoadBlocks(D d, const std::byte* const* rows, int64_t offset) {
  if constexpr (hn::MaxLanes(d) <= 4) {
    return hn::LoadU(d, reinterpret_cast<const uint32_t*>(rows[0] + offset));
  } else {
    const hn::Half<D> half;
    constexpr auto kRowsInHalf = static_cast<int64_t>(hn::MaxLanes(half));
    return hn::Combine(d, LoadBlocks(half, rows + kRowsInHalf, offset),
                       LoadBlocks(half, rows, offset));
  }
}

// lines[i] = word i, from byte `offset` on, of as many rows as a vector has lanes.
HWY_INLINE void TurnFour(const std::byte* const* rows, int64_t offset, LineVector* lines) {
  const LineWords d;
  const hn::Repartition<uint64_t, LineWords> d64;
  const auto a = LoadBlocks(d, rows, offset);
  const auto b = LoadBlocks(d, rows + 1, offset);
  const auto c = LoadBlocks(d, rows + 2, offset);
  const auto e = LoadBlocks(d, rows + 3, offset);
  const auto ab01 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
  const auto ab23 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
  const auto ce01 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
  const auto ce23 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
  lines[0] = hn::BitCast(d, hn::InterleaveLower(d64, ab01, ce01));
  lines[1] = hn::BitCast(d, hn::InterleaveUpper(d64, ab01, ce01));
  lines[2] = hn::BitCast(d, hn::InterleaveLower(d64, ab23, ce23));
  lines[3] = hn::BitCast(d, hn::InterleaveUpper(d64, ab23, ce23));
}

// Lines of 8 units: words from byte `first` on, in kHalves* 4 of them and 4 from `second` on.
template <LaneOrder kOrder>
HWY_INLINE void TurnEight(const std::byte* const* rows, int64_t first, int64_t second,
                          LineVector* lines) {
  const LineWords d;
  const hn::Repartition<uint16_t, LineWords> d16;
  LineVector low[4];
  LineVector high[4];
  TurnFour(rows, first, low);
  TurnFour(rows, second, high);
  ForEach<4>([&](auto i) HWY_ATTR {
    if constexpr (kOrder == LaneOrder::kPlain) {
      lines[i] = low[i];
      lines[4 + i] = high[i];
    } else if constexpr (kOrder == LaneOrder::kHalves32) {
      lines[2 * i] = low[i];
      lines[2 * i + 1] = high[i];
    } else {
      lines[2 * i] = hn::BitCast(d, hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(high[i])),
                                                hn::BitCast(d16, low[i])));
      lines[2 * i + 1] = hn::BitCast(d, hn::OddEven(hn::BitCast(d16, high[i]),
                                                    hn::BitCast(d16, hn::ShiftRight<16>(low[i]))));
    }
  });
}

// A part of a key's lines: `units` of them, a multiple of 8, from rows' bytes
// `first` on and, in kHalves*, `second` on.
template <LaneOrder kOrder, bool kBf16, bool kStream, bool kFetch>
HWY_INLINE void TurnPart(const std::byte* const* rows, int64_t first, int64_t second,
                         int64_t units, Ahead ahead, ClassSums& sums, uint32_t* to) {
  const LineFloats df;
  constexpr int64_t kStep = kOrder == LaneOrder::kPlain ? 32 : 16;
  if constexpr (kOrder == LaneOrder::kPlain) second = first + 16;
  const int64_t part_bytes = first;
  for (int64_t unit = 0; unit < units; unit += kSumClasses) {
    // 8 of the 16 rows have their turn, then the others.
    const std::byte* const* row = rows + unit % kGroupSlots;
    const int64_t offset = part_bytes + unit / kGroupSlots * kCacheLineBytes;
    LineVector lines[kSumClasses];
    TurnEight<kOrder>(rows, first, second, lines);
    first += kStep;
    second += kStep;
    ForEach<kSumClasses>([&](auto i) HWY_ATTR {
      if constexpr (kFetch) {
        FetchLater(ahead, part_bytes * kGroupSlots + (unit + i) * kCacheLineBytes);
        FetchNext(ahead, row[i] + offset);
      }
      PutLine<kStream>(lines[i], to + (unit + i) * kGroupSlots);
      AddSquares(df, lines[i], kBf16, sums.even[i], sums.odd[i]);
    });
  }
}

// The lines of 16 rows of `units` words, a multiple of 4, that are in lane order.
inline void TurnRows(const std::byte* const* rows, int64_t units, uint32_t* lines) {
  for (int64_t unit = 0; unit < units; unit += 4, lines += 4 * kGroupSlots) {
    for (int64_t lane = 0; lane < kGroupSlots; lane += kLineLanes) {
      LineVector turned[4];
      TurnFour(rows + lane, unit * 4, turned);
      for (int i = 0; i < 4; ++i) PutLine<false>(turned[i], lines + i * kGroupSlots + lane);
    }
  }
}

// Whether TurnKeys takes such keys as they lie in their rows.
inline bool TurnsInPlace(const PageFormat& format) {
  return format.pairing != RopePairing::kHalfSplit || format.rotary_dim % 16 == 0;
}

// The lines that `kLineLanes` keys have in their group's and the sums of their squares.
template <bool kBf16, bool kStream, bool kFetch>
HWY_INLINE void TurnLanes(const PageFormat& format, const std::byte* const* rows,
                          Ahead ahead, uint32_t* lines, float* result) {
  constexpr int64_t kElementBytes = kBf16 ? 2 : 4;
  constexpr LaneOrder kHalves = kBf16 ? LaneOrder::kHalves16 : LaneOrder::kHalves32;
  const LineFloats df;
  const bool halves = format.pairing == RopePairing::kHalfSplit && TurnsInPlace(format);
  const int64_t rotated = halves ? format.rotary_dim * kElementBytes : 0;
  const int64_t rest = format.k_dim * kElementBytes - rotated;
  ClassSums sums;
  ForEach<kSumClasses>([&](auto i) HWY_ATTR {
    sums.even[i] = hn::Zero(df);
    sums.odd[i] = hn::Zero(df);
  });
  if (rotated > 0) {
    TurnPart<kHalves, kBf16, kStream, kFetch>(rows, 0, rotated / 2, rotated / 4, ahead, sums,
                                              lines);
  }
  if (rest > 0) {
    TurnPart<LaneOrder::kPlain, kBf16, kStream, kFetch>(rows, rotated, 0, rest / 4, ahead, sums,
                                                        lines + rotated / 4 * kGroupSlots);
  }
  ForEach<kSumClasses>(
      [&](auto i) HWY_ATTR { sums.even[i] = hn::Add(sums.even[i], sums.odd[i]); });
  const auto add = [](auto a, auto b) HWY_ATTR { return hn::Add(a, b); };
  hn::StoreU(AddClasses(sums.even, add), df, result);
}

// The lines of 16 keys and the sums of their squares. The keys come in lane
// order already, or in canonical order where TurnsInPlace.
template <bool kBf16, bool kStream>
void TurnKeys(const PageFormat& format, const std::byte* const* rows, Ahead ahead,
              uint32_t* lines, float* sums) {
  TurnLanes<kBf16, kStream, true>(format, rows, ahead, lines, sums);
  for (int64_t lane = kLineLanes; lane < kGroupSlots; lane += kLineLanes) {
    TurnLanes<kBf16, kStream, false>(format, rows + lane, ahead, lines + lane, sums + lane);
  }
}

// Turns sums of squares into norms; false where SumIsSound is for one of them.
inline bool NormsOfSums(float* sums) {
  const LineFloats df;
  for (int64_t lane = 0; lane < kGroupSlots; lane += kLineLanes) {
    const auto sum = hn::LoadU(df, sums + lane);
    const auto sound = hn::And(hn::Gt(sum, hn::Set(df, kLeastSoundSum)),
                               hn::Lt(sum, hn::Set(df, std::numeric_limits<float>::infinity())));
    if (!hn::AllTrue(df, sound)) return false;
    hn::StoreU(hn::Sqrt(sum), df, sums + lane);
  }
  return true;
}

// The pairs of 16 values of a 2-byte type, of whose bits `exponent` are all set
// in what is not finite; false if something is not.
template <bool kStream>
bool PairValues(const std::byte* const* rows, int32_t dims, uint16_t exponent, Ahead ahead,
                uint32_t* to) {
  const LineWords d;
  const hn::Rebind<uint16_t, LineWords> d_row;
  const hn::Repartition<uint16_t, LineWords> d16;
  const auto mask = hn::Set(d16, exponent);
  auto largest = hn::Zero(d16);
  int64_t offset = 0;
  for (int64_t row = 0; row < kGroupSlots; row += 2) {
    const auto* a = reinterpret_cast<const uint16_t*>(rows[row]);
    const auto* b = reinterpret_cast<const uint16_t*>(rows[row + 1]);
    for (int64_t dim = 0; dim < dims; dim += kLineLanes, to += kLineLanes) {
      // A line of the page is half of one of each row.
      FetchNext(ahead, ((dim & 16) == 0 ? a : b) + (dim & ~int64_t{31}));
      FetchLater(ahead, offset);
      offset += kLineLanes * 4;
      const auto low = hn::PromoteTo(d, hn::LoadU(d_row, a + dim));
      const auto high = hn::PromoteTo(d, hn::LoadU(d_row, b + dim));
      const auto line = hn::Or(low, hn::ShiftLeft<16>(high));
      largest = hn::Max(largest, hn::And(hn::BitCast(d16, line), mask));
      PutLine<kStream>(line, to);
    }
  }
  return hn::AllFalse(d16, hn::Eq(largest, mask));
}

// The same for rows of fp32, which lie one after another.
template <bool kStream>
bool CopyValues(const std::byte* const* rows, int32_t dims, Ahead ahead, uint32_t* to) {
  const LineWords d;
  const auto mask = hn::Set(d, 0x7f800000u);
  auto largest = hn::Zero(d);
  int64_t offset = 0;
  for (int64_t row = 0; row < kGroupSlots; ++row) {
    const auto* words = reinterpret_cast<const uint32_t*>(rows[row]);
    for (int32_t dim = 0; dim < dims; dim += kLineLanes, to += kLineLanes) {
      FetchNext(ahead, words + dim);
      FetchLater(ahead, offset);
      offset += kLineLanes * 4;
      const auto line = hn::LoadU(d, words + dim);
      largest = hn::Max(largest, hn::And(line, mask));
      PutLine<kStream>(line, to);
    }
  }
  return hn::AllFalse(d, hn::Eq(largest, mask));
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#endif
