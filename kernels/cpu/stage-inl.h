// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Rows of single slots, between canonical order and the bytes of a page. Compiled once per SIMD target: include it only from a file
// that foreach_target.h compiles, after hwy/highway.h.

#if defined(SLUICE_KERNELS_CPU_STAGE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_KERNELS_CPU_STAGE_INL_H_
#undef SLUICE_KERNELS_CPU_STAGE_INL_H_
#else
#define SLUICE_KERNELS_CPU_STAGE_INL_H_
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "hwy/highway.h"
#include "kernels/core/layout.h"
#include "kernels/core/number.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Row lengths are multiples of 16, so vectors of at most 32 bytes leave no rest.

// The element `index` of an array at any address: callers' tensors lie where
// protobuf put them.
template <typename T>
inline T LoadElement(const void* base, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(base) + index * int64_t{sizeof(T)},
              sizeof(T));
  return value;
}

// Rounds as FloatToBf16 does; a NaN may become another one.
inline void ConvertToBf16(const float* HWY_RESTRICT from, int64_t count,
                          uint16_t* HWY_RESTRICT to) {
  const hn::CappedTag<uint32_t, 8> du;
  const hn::Rebind<uint16_t, decltype(du)> d16;
  const auto lanes = static_cast<int64_t>(hn::Lanes(du));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto bits = hn::LoadU(du, reinterpret_cast<const uint32_t*>(from + i));
    const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
    const auto rounded = hn::Add(bits, hn::Add(last, hn::Set(du, 0x7fffu)));
    const auto magnitude = hn::And(bits, hn::Set(du, 0x7fffffffu));
    const auto is_nan = hn::Gt(magnitude, hn::Set(du, 0x7f800000u));
    const auto result = hn::IfThenElse(is_nan, hn::Set(du, 0x7fc00000u), rounded);
    hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(result)), d16, to + i);
  }
  for (; i < count; ++i) to[i] = FloatToBf16(LoadElement<float>(from, i));
}

// Element by element as StoreFloat(LoadAsFloat()).
inline void ConvertRow(const std::byte* from, Dtype from_dtype, Dtype to_dtype, int32_t count,
                       std::byte* to) {
  if (from_dtype == Dtype::kF32 && to_dtype == Dtype::kBf16) {
    ConvertToBf16(reinterpret_cast<const float*>(from), count, reinterpret_cast<uint16_t*>(to));
    return;
  }
  for (int32_t i = 0; i < count; ++i) StoreFloat(to, to_dtype, i, LoadAsFloat(from, from_dtype, i));
}

// Squares of a key are summed in kSumClasses classes of words of its lane order,
// which are then added pairwise: the same whether one slot is summed or 16.
inline constexpr int32_t kSumClasses = 8;

template <class V, class Add>
HWY_INLINE V AddClasses(const V (&sums)[kSumClasses], const Add& add) {
  const V a = add(add(sums[0], sums[4]), add(sums[2], sums[6]));
  const V b = add(add(sums[1], sums[5]), add(sums[3], sums[7]));
  return add(a, b);
}

// Adds the squares of the numbers in a vector of words: two bf16 or one fp32.
template <class D, class VU, class V>
HWY_INLINE void AddSquares(D df, VU bits, bool is_bf16, V& even, V& odd) {
  if (!is_bf16) {
    const auto value = hn::BitCast(df, bits);
    even = hn::MulAdd(value, value, even);
    return;
  }
  const hn::RebindToUnsigned<D> du;
  const auto low = hn::BitCast(df, hn::ShiftLeft<16>(bits));
  const auto high = hn::BitCast(df, hn::And(bits, hn::Set(du, 0xffff0000u)));
  even = hn::MulAdd(low, low, even);
  odd = hn::MulAdd(high, high, odd);
}

// Sum of squares of a bf16 or fp32 key in lane order.
inline float SumOfSquares(const std::byte* row, int64_t units, bool is_bf16) {
  const hn::CappedTag<float, kSumClasses> df;
  const hn::RebindToUnsigned<decltype(df)> du;
  const auto lanes = static_cast<int64_t>(hn::Lanes(df));
  const auto* words = reinterpret_cast<const uint32_t*>(row);
  float sums[kSumClasses];
  for (int64_t first = 0; first < kSumClasses; first += lanes) {
    auto even = hn::Zero(df);
    auto odd = hn::Zero(df);
    for (int64_t unit = first; unit < units; unit += kSumClasses) {
      AddSquares(df, hn::LoadU(du, words + unit), is_bf16, even, odd);
    }
    hn::StoreU(hn::Add(even, odd), df, sums + first);
  }
  return AddClasses(sums, [](float a, float b) { return a + b; });
}

// Whether a sum of squares is that of finite numbers, and exact enough.
inline constexpr float kLeastSoundSum = 1e-30f;
inline bool SumIsSound(float sum) {
  return sum > kLeastSoundSum && sum < std::numeric_limits<float>::infinity();
}

template <typename T>
inline bool BitsAreFinite(const std::byte* row, int32_t count, T exponent) {
  const hn::CappedTag<T, 32 / sizeof(T)> d;
  const auto lanes = static_cast<int32_t>(hn::Lanes(d));
  const auto mask = hn::Set(d, exponent);
  const auto* bits = reinterpret_cast<const T*>(row);
  auto largest = hn::Zero(d);
  for (int32_t i = 0; i < count; i += lanes) {
    largest = hn::Max(largest, hn::And(hn::LoadU(d, bits + i), mask));
  }
  return hn::AllFalse(d, hn::Eq(largest, mask));
}

inline bool RowIsFinite(const std::byte* row, Dtype dtype, int32_t count) {
  if (dtype == Dtype::kF32) return BitsAreFinite<uint32_t>(row, count, 0x7f800000u);
  return BitsAreFinite<uint16_t>(row, count, dtype == Dtype::kBf16 ? 0x7f80 : 0x7c00);
}

// Whether a key in lane order is finite, and if so its L2 norm.
inline bool FiniteNorm(const std::byte* row, Dtype dtype, int32_t count, float* norm) {
  if (dtype != Dtype::kF16) {
    const int64_t units = count * DtypeBytes(dtype) / 4;
    const float sum = SumOfSquares(row, units, dtype == Dtype::kBf16);
    *norm = std::sqrt(sum);
    if (SumIsSound(sum)) return true;
  }
  if (!RowIsFinite(row, dtype, count)) return false;
  double exact = 0.0;  // fp16, or the squares over- or underflow in fp32
  for (int32_t i = 0; i < count; ++i) {
    const double value = LoadAsFloat(row, dtype, i);
    exact += value * value;
  }
  *norm = static_cast<float>(std::sqrt(exact));
  return true;
}

// to[2 i] = first[i], to[2 i + 1] = second[i].
template <typename T>
inline void Interleave(const T* first, const T* second, int32_t count, T* HWY_RESTRICT to) {
  const hn::CappedTag<T, 32 / sizeof(T)> d;
  const auto lanes = static_cast<int32_t>(hn::Lanes(d));
  int32_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreInterleaved2(hn::LoadU(d, first + i), hn::LoadU(d, second + i), d, to + 2 * i);
  }
  for (; i < count; ++i) {
    to[2 * i] = LoadElement<T>(first, i);
    to[2 * i + 1] = LoadElement<T>(second, i);
  }
}

// A key in the order of a page's lanes: `row` itself where that is its order,
// else a copy in `room`.
inline const std::byte* InLaneOrder(const PageFormat& format, const std::byte* row,
                                    std::byte* room) {
  if (format.pairing != RopePairing::kHalfSplit) return row;
  const int32_t half = format.rotary_dim / 2;
  const int64_t element_bytes = DtypeBytes(format.dtype);
  const std::byte* second = row + half * element_bytes;
  if (format.dtype == Dtype::kF32) {
    Interleave(reinterpret_cast<const uint32_t*>(row), reinterpret_cast<const uint32_t*>(second),
               half, reinterpret_cast<uint32_t*>(room));
  } else {
    Interleave(reinterpret_cast<const uint16_t*>(row), reinterpret_cast<const uint16_t*>(second),
               half, reinterpret_cast<uint16_t*>(room));
  }
  const int64_t rotated_bytes = format.rotary_dim * element_bytes;
  std::memcpy(room + rotated_bytes, row + rotated_bytes,
              static_cast<size_t>(format.k_dim * element_bytes - rotated_bytes));
  return room;
}

// Copies past the caches. Both aligned to 64 bytes, as is the length.
inline void StreamBytes(const std::byte* from, int64_t bytes, std::byte* to) {
  const hn::CappedTag<uint32_t, 16> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto* words = reinterpret_cast<const uint32_t*>(from);
  auto* destination = reinterpret_cast<uint32_t*>(to);
  for (int64_t i = 0; i < bytes / 4; i += lanes) {
    hn::Stream(hn::Load(d, words + i), d, destination + i);
  }
}

// Puts one row of words into a lane of its group's lines.
inline void ScatterSlot(const std::byte* row, int64_t units, uint32_t* lane) {
  for (int64_t unit = 0; unit < units; ++unit) {
    lane[unit * kGroupSlots] = LoadElement<uint32_t>(row, unit);
  }
}

// Puts a value of a 2-byte type into its half of a pair of slots.
inline void StoreHalfPair(const std::byte* row, int32_t count, uint16_t* half) {
  for (int32_t i = 0; i < count; ++i) half[2 * i] = LoadElement<uint16_t>(row, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#endif
