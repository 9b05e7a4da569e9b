// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// Vector functions of attend, once per instruction set.

#if defined(SLUICE_CPU_ATTEND_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_CPU_ATTEND_MATH_INL_H_
#undef SLUICE_CPU_ATTEND_MATH_INL_H_
#else
#define SLUICE_CPU_ATTEND_MATH_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The widest vector of up to 16 floats: a group of slots is 16 lanes.
using DF = hn::CappedTag<float, 16>;
using DI = hn::RebindToSigned<DF>;
using DU = hn::RebindToUnsigned<DF>;
using VF = hn::Vec<DF>;
using VU = hn::Vec<DU>;

inline constexpr int kLanes = HWY_MIN(16, HWY_LANES(float));
inline constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64;

// 2^x for x <= 127, relative error 2e-7; 0 below -126, exactly 1 at 0.
// A minimax polynomial of degree 5 on [-1/2, 1/2] with constant term 1.
HWY_INLINE VF Exp2(VF x) {
  const DF d;
  const DI di;
  const VF lowest = hn::Set(d, -126.0f);
  const VF clamped = hn::Max(x, lowest);
  const VF whole = hn::Round(clamped);
  const VF f = hn::Sub(clamped, whole);
  VF p = hn::Set(d, 1.326472708e-3f);
  p = hn::MulAdd(p, f, hn::Set(d, 9.671512862e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 5.550733746e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.2402224208f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931469776f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, whole));
  const VF result = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenElseZero(hn::Ge(x, lowest), result);
}

// tanh with relative error 3e-7: an odd polynomial up to 0.6, then 1 - 2 / (e^2x + 1).
HWY_INLINE VF Tanh(VF x) {
  const DF d;
  const VF size = hn::Min(hn::Abs(x), hn::Set(d, 20.0f));
  const VF square = hn::Mul(size, size);
  VF p = hn::Set(d, -5.895154899e-3f);
  p = hn::MulAdd(p, square, hn::Set(d, 2.07959691e-2f));
  p = hn::MulAdd(p, square, hn::Set(d, -5.378382957e-2f));
  p = hn::MulAdd(p, square, hn::Set(d, 0.1333192412f));
  p = hn::MulAdd(p, square, hn::Set(d, -0.33333298f));
  const VF small = hn::MulAdd(hn::Mul(p, square), size, size);
  const VF one = hn::Set(d, 1.0f);
  const VF power = Exp2(hn::Mul(size, hn::Set(d, 2.88539008f)));
  const VF large = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(power, one)));
  return hn::CopySign(hn::IfThenElse(hn::Lt(size, hn::Set(d, 0.6f)), small, large), x);
}

// A vector each of two neighbours: dims of a key's pair, or tokens of a value's.
struct VectorPair {
  VF even;
  VF odd;
};

// How stored elements become fp32. Load reads kLanes pairs from `p`: for 2-byte
// types a pair is 4 bytes; for fp32 the odd members lie `odd_bytes` further.
template <Dtype kDtype>
struct Stored;

template <>
struct Stored<Dtype::kF32> {
  static constexpr int kBytes = 4;
  static HWY_INLINE VectorPair Load(const std::byte* HWY_RESTRICT p, int64_t odd_bytes) {
    const DF d;
    return {hn::LoadU(d, reinterpret_cast<const float*>(p)),
            hn::LoadU(d, reinterpret_cast<const float*>(p + odd_bytes))};
  }
};

template <>
struct Stored<Dtype::kBf16> {
  static constexpr int kBytes = 2;
  static HWY_INLINE VectorPair Load(const std::byte* HWY_RESTRICT p, int64_t /*odd_bytes*/) {
    const DF d;
    const DU du;
    const VU both = hn::LoadU(du, reinterpret_cast<const uint32_t*>(p));
    return {hn::BitCast(d, hn::ShiftLeft<16>(both)),
            hn::BitCast(d, hn::And(both, hn::Set(du, 0xffff0000u)))};
  }
};

template <>
struct Stored<Dtype::kF16> {
  static constexpr int kBytes = 2;
  // Moves sign, exponent and mantissa into place; 2^112 corrects the exponent's
  // bias, for subnormals too. Stored values are finite.
  static HWY_INLINE VF Widen(hn::Vec<DI> upper) {
    const DF d;
    const DI di;
    const auto bits = hn::And(hn::ShiftRight<3>(upper), hn::Set(di, int32_t(0x8fffe000u)));
    return hn::Mul(hn::BitCast(d, bits), hn::Set(d, 5.192296858534828e33f));
  }
  static HWY_INLINE VectorPair Load(const std::byte* HWY_RESTRICT p, int64_t /*odd_bytes*/) {
    const DI di;
    const auto both = hn::LoadU(di, reinterpret_cast<const int32_t*>(p));
    return {Widen(hn::ShiftLeft<16>(both)), Widen(both)};
  }
};

}  // namespace sluice::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
