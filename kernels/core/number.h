// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Conversions between fp32 and the stored element types, bit for bit the same
// on host and device. Stateless, thread-safe.

#include <cstdint>
#include <cstring>

#include "kernels/core/host_device.h"
#include "kernels/dtype.h"

namespace sluice {

SLUICE_HD inline uint32_t FloatBits(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

SLUICE_HD inline float FloatFromBits(uint32_t bits) {
  float value = 0.0f;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// True unless the value is infinite or NaN; independent of -ffast-math.
SLUICE_HD inline bool IsFinite(float value) {
  return (FloatBits(value) & 0x7f800000u) != 0x7f800000u;
}

SLUICE_HD inline float Bf16ToFloat(uint16_t bits) {
  return FloatFromBits(static_cast<uint32_t>(bits) << 16);
}

// Rounds to nearest, ties to even; values beyond the largest become infinite;
// NaN stays NaN (made quiet, its upper payload kept).
SLUICE_HD inline uint16_t FloatToBf16(float value) {
  const uint32_t bits = FloatBits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

SLUICE_HD inline float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) return FloatFromBits(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return FloatFromBits(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * FloatFromBits(0x33800000u);  // 2^-24
  return FloatFromBits(sign | FloatBits(magnitude));
}

// Rounds to nearest, ties to even, subnormals included; 65520 and beyond
// become infinite; NaN stays NaN (made quiet, its upper payload kept).
SLUICE_HD inline uint16_t FloatToHalf(float value) {
  const uint32_t bits = FloatBits(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  }
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Adding 1/2 rounds the value to a multiple of 2^-24 in the sum's last bits.
    const float sum = FloatFromBits(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (FloatBits(sum) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

// The element `index` of a dense array of `dtype`, at any alignment.
SLUICE_HD inline float LoadAsFloat(const void* base, Dtype dtype, int64_t index) {
  const char* element = static_cast<const char*>(base) + index * DtypeBytes(dtype);
  if (dtype == Dtype::kF32) {
    float value = 0.0f;
    memcpy(&value, element, sizeof(value));
    return value;
  }
  uint16_t bits = 0;
  memcpy(&bits, element, sizeof(bits));
  return dtype == Dtype::kBf16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
}

SLUICE_HD inline void StoreFloat(void* base, Dtype dtype, int64_t index, float value) {
  if (dtype == Dtype::kF32) {
    static_cast<float*>(base)[index] = value;
  } else {
    static_cast<uint16_t*>(base)[index] =
        dtype == Dtype::kBf16 ? FloatToBf16(value) : FloatToHalf(value);
  }
}

// What `value` becomes when it is stored in `dtype` and read again.
SLUICE_HD inline float RoundTo(Dtype dtype, float value) {
  if (dtype == Dtype::kF32) return value;
  return dtype == Dtype::kBf16 ? Bf16ToFloat(FloatToBf16(value)) : HalfToFloat(FloatToHalf(value));
}

// An unsigned key that orders floats as < does: -inf lowest of the numbers,
// -0 and +0 equal, every NaN 0 and so below -inf.
SLUICE_HD inline uint32_t OrderedKey(float value) {
  const uint32_t bits = FloatBits(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0;
  if ((bits & 0x80000000u) != 0) return 0x80000000u - magnitude;
  return 0x80000000u + magnitude;
}

}  // namespace sluice
