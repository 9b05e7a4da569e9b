// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/exact_turn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/core/number.h"

namespace sluice::device {
namespace {

void ExpectSameTurn(float inv_freq, int64_t position) {
  const Turn expected = TrueTurn(inv_freq, position);
  const Turn turn = ExactTrueTurn(inv_freq, position);
  ASSERT_EQ(FloatBits(expected.cosine), FloatBits(turn.cosine)) << inv_freq << " " << position;
  ASSERT_EQ(FloatBits(expected.sine), FloatBits(turn.sine)) << inv_freq << " " << position;
}

TEST(ExactTurnTest, TurnsAreTheSameBitsAsOnHosts) {
  for (int32_t pair = 0; pair < 64; ++pair) {
    const float inv_freq = std::pow(1e6f, -static_cast<float>(pair) / 64.0f);
    for (int64_t position = 0; position < 2000; ++position) ExpectSameTurn(inv_freq, position);
    for (int64_t position = 2000; position < int64_t{1} << 31; position += position / 300) {
      ExpectSameTurn(inv_freq, position);
    }
  }
}

}  // namespace
}  // namespace sluice::device
