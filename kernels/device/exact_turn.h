// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The turns of keys at true positions (core/rope.h), the same bits as on hosts: what is
// stored of a key that is turned back does not depend on the backend. Stateless.

#include <math.h>

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/core/rope.h"

namespace sluice::device {

// Cosine and sine of |x| <= pi / 4, by Taylor's series within an ulp of a double.
SLUICE_HD inline double CosineOfEighth(double x) {
  const double square = x * x;
  double sum = 1.0;
  for (int32_t n = 18; n > 0; n -= 2) sum = 1.0 - square * (1.0 / (n * (n - 1))) * sum;
  return sum;
}

SLUICE_HD inline double SineOfEighth(double x) {
  const double square = x * x;
  double sum = 1.0;
  for (int32_t n = 19; n > 1; n -= 2) sum = 1.0 - square * (1.0 / (n * (n - 1))) * sum;
  return x * sum;
}

// TrueTurn for devices, whose own functions of doubles keep arrays in local memory.
SLUICE_HD inline Turn ExactTrueTurn(float inv_freq, int64_t position) {
  constexpr double kQuartersOfRadian = 0.63661977236758134308;  // 2 / pi
  constexpr double kQuarterHigh = 1.57079632679489655800;       // pi / 2 in two parts
  constexpr double kQuarterLow = 6.12323399573676603587e-17;
  const auto angle = static_cast<double>(static_cast<float>(position) * inv_freq);
  const double quarters = floor(angle * kQuartersOfRadian + 0.5);
  const double rest = fma(-quarters, kQuarterLow, fma(-quarters, kQuarterHigh, angle));
  const auto cosine = static_cast<float>(CosineOfEighth(rest));
  const auto sine = static_cast<float>(SineOfEighth(rest));
  switch (static_cast<int64_t>(quarters) & 3) {
    case 0: return {cosine, sine};
    case 1: return {-sine, cosine};
    case 2: return {-cosine, -sine};
    default: return {sine, -cosine};
  }
}

}  // namespace sluice::device
