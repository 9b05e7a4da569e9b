// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/number.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/testing/random.h"

namespace sluice {
namespace {

using kernels_testing::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What a 16-bit pattern means, from the definition of the format.
double Meaning(uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<double>(bits & ((1u << mantissa_bits) - 1u));
  const int exponent = static_cast<int>(bits >> mantissa_bits & ((1u << exponent_bits) - 1u));
  const double sign = (bits & 0x8000u) != 0 ? -1.0 : 1.0;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign *
         std::ldexp(mantissa + std::ldexp(1.0, mantissa_bits), exponent - bias - mantissa_bits);
}

TEST(Bf16Test, EveryPatternMeansWhatTheFormatSays) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = Bf16ToFloat(static_cast<uint16_t>(bits));
    if ((bits & 0x7f80u) != 0x7f80u) {
      ASSERT_EQ(double{value}, Meaning(bits, 8, 7)) << bits;
    } else {
      ASSERT_EQ(std::isnan(value), (bits & 0x7fu) != 0) << bits;
    }
  }
}

TEST(HalfTest, EveryPatternMeansWhatTheFormatSays) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    if ((bits & 0x7c00u) != 0x7c00u) {
      ASSERT_EQ(double{value}, Meaning(bits, 5, 10)) << bits;
    } else {
      ASSERT_EQ(std::isnan(value), (bits & 0x3ffu) != 0) << bits;
    }
  }
}

TEST(Bf16Test, EveryPatternSurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = Bf16ToFloat(static_cast<uint16_t>(bits));
    const uint16_t back = FloatToBf16(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(Bf16ToFloat(back))) << bits;
    } else {
      ASSERT_EQ(back, bits);
    }
  }
}

TEST(HalfTest, EveryPatternSurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    const uint16_t back = FloatToHalf(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(HalfToFloat(back))) << bits;
    } else {
      ASSERT_EQ(back, bits);
    }
  }
}

// Every midpoint between neighbours, and one float to either side of it.
template <class ToFloat, class FromFloat>
void ExpectNearestEven(uint16_t largest, ToFloat to_float, FromFloat from_float) {
  for (uint32_t bits = 0; bits < largest; ++bits) {
    const auto low = static_cast<uint16_t>(bits);
    const auto high = static_cast<uint16_t>(bits + 1);
    const float middle = static_cast<float>((double{to_float(low)} + double{to_float(high)}) / 2.0);
    ASSERT_EQ(from_float(middle), low % 2 == 0 ? low : high) << bits;
    ASSERT_EQ(from_float(std::nextafter(middle, 0.0f)), low) << bits;
    ASSERT_EQ(from_float(std::nextafter(middle, kInfinity)), high) << bits;
    ASSERT_EQ(from_float(-middle), 0x8000u | (low % 2 == 0 ? low : high)) << bits;
  }
}

TEST(Bf16Test, RoundsToTheNearestAndTiesToEven) {
  ExpectNearestEven(0x7f7f, Bf16ToFloat, FloatToBf16);
}

TEST(HalfTest, RoundsToTheNearestAndTiesToEven) {
  ExpectNearestEven(0x7bff, HalfToFloat, FloatToHalf);
}

TEST(Bf16Test, WhatIsTooLargeBecomesInfinite) {
  EXPECT_EQ(FloatToBf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(FloatToBf16(-kInfinity), 0xff80);
}

TEST(HalfTest, WhatIsTooLargeBecomesInfinite) {
  EXPECT_EQ(FloatToHalf(65519.996f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
}

TEST(NumberTest, FiniteMeansNeitherInfiniteNorNan) {
  EXPECT_TRUE(IsFinite(0.0f));
  EXPECT_TRUE(IsFinite(-std::numeric_limits<float>::max()));
  EXPECT_FALSE(IsFinite(kInfinity));
  EXPECT_FALSE(IsFinite(-kInfinity));
  EXPECT_FALSE(IsFinite(std::numeric_limits<float>::quiet_NaN()));
}

TEST(NumberTest, LoadsWhatWasStoredInEveryDtype) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    float buffer[4] = {};
    StoreFloat(buffer, dtype, 2, -1.25f);
    EXPECT_EQ(LoadAsFloat(buffer, dtype, 2), -1.25f) << DtypeName(dtype);
    EXPECT_EQ(LoadAsFloat(buffer, dtype, 1), 0.0f) << DtypeName(dtype);
    EXPECT_EQ(LoadAsFloat(buffer, dtype, 3), 0.0f) << DtypeName(dtype);
    StoreFloat(buffer, dtype, 0, 0.1f);
    EXPECT_EQ(LoadAsFloat(buffer, dtype, 0), RoundTo(dtype, 0.1f)) << DtypeName(dtype);
  }
}

TEST(OrderedKeyTest, OrdersAsTheNumbersDo) {
  std::vector<float> values = {-kInfinity, kInfinity, 0.0f, 1e-45f, -1e-45f, 1.0f, -1.0f};
  Random random({11});
  while (values.size() < 2000) {
    const float value = FloatFromBits(static_cast<uint32_t>(random.Next()));
    if (!std::isnan(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  for (size_t i = 1; i < values.size(); ++i) {
    ASSERT_EQ(OrderedKey(values[i - 1]) < OrderedKey(values[i]), values[i - 1] < values[i]);
  }
}

TEST(OrderedKeyTest, BothZerosAreOneKeyAndNanIsBelowEverything) {
  EXPECT_EQ(OrderedKey(-0.0f), OrderedKey(0.0f));
  EXPECT_LT(OrderedKey(std::numeric_limits<float>::quiet_NaN()), OrderedKey(-kInfinity));
  EXPECT_EQ(OrderedKey(-std::numeric_limits<float>::quiet_NaN()), 0u);
}

}  // namespace
}  // namespace sluice
