// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/observation.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <vector>

namespace sluice {
namespace {

TEST(ObservationTest, PartsAreAlignedAndDoNotOverlap) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int32_t capacity : {1, 7, 32, 33}) {
      const ObservationLayout layout = MakeObservationLayout(capacity, 5, 48, dtype);
      EXPECT_EQ(layout.position_offset, 0);
      EXPECT_EQ(layout.lse_offset % 64, 0);
      EXPECT_EQ(layout.q_offset % 64, 0);
      EXPECT_EQ(layout.bytes % 64, 0);
      EXPECT_GE(layout.lse_offset, capacity * 4);
      EXPECT_GE(layout.q_offset, layout.lse_offset + capacity * 5 * 4);
      EXPECT_GE(layout.bytes, layout.q_offset + capacity * 5 * 48 * DtypeBytes(dtype));
    }
  }
}

// Llama-3-8B: 32 layers of 32 query heads of 128 dims, 32 rows, bf16: 8 MiB and
// what positions and log-sum-exps take.
TEST(ObservationTest, ARingTakesWhatItsRowsTake) {
  const ObservationLayout layout = MakeObservationLayout(32, 32, 128, Dtype::kBf16);
  EXPECT_EQ(layout.lse_offset, 128);
  EXPECT_EQ(layout.q_offset, 128 + 4096);
  EXPECT_EQ(layout.bytes, 128 + 4096 + (int64_t{8} << 20) / 32);
}

TEST(ObservationTest, RowsGoRoundTheRing) {
  const ObservationLayout layout = MakeObservationLayout(5, 2, 16, Dtype::kF16);
  EXPECT_EQ(ObservedPositionOffset(layout, 3), 12);
  EXPECT_EQ(ObservedPositionOffset(layout, 13), 12);
  EXPECT_EQ(ObservedLseOffset(layout, 13), layout.lse_offset + 3 * 2 * 4);
  EXPECT_EQ(ObservedQueryOffset(layout, 13, 1), layout.q_offset + (3 * 2 + 1) * 32);
  std::set<int64_t> places;
  for (int64_t position = 1000; position < 1005; ++position) {
    for (int32_t head = 0; head < 2; ++head) {
      places.insert(ObservedQueryOffset(layout, position, head));
    }
  }
  EXPECT_EQ(places.size(), 10u);
}

TEST(ObservationTest, AClearedRingHoldsNothing) {
  const ObservationLayout layout = MakeObservationLayout(4, 1, 16, Dtype::kF32);
  std::vector<std::byte> ring(static_cast<size_t>(layout.bytes));
  EXPECT_TRUE(HoldsObservation(ring.data(), layout, 0));  // zero bytes are not a ring
  ClearObservation(ring.data(), layout);
  for (int64_t position = 0; position < 9; ++position) {
    EXPECT_FALSE(HoldsObservation(ring.data(), layout, position));
  }
}

TEST(ObservationTest, ARowIsHeldUntilTheOneACapacityLater) {
  const ObservationLayout layout = MakeObservationLayout(4, 1, 16, Dtype::kF32);
  std::vector<std::byte> ring(static_cast<size_t>(layout.bytes));
  ClearObservation(ring.data(), layout);
  *reinterpret_cast<int32_t*>(ring.data() + ObservedPositionOffset(layout, 6)) = 6;
  EXPECT_TRUE(HoldsObservation(ring.data(), layout, 6));
  EXPECT_FALSE(HoldsObservation(ring.data(), layout, 2));
  EXPECT_FALSE(HoldsObservation(ring.data(), layout, 10));
}

TEST(ObservationTest, OnlyNotANumberIsAnUnknownLse) {
  EXPECT_FALSE(LseIsKnown(FloatFromBits(kUnknownLseBits)));
  EXPECT_FALSE(LseIsKnown(-std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(LseIsKnown(-std::numeric_limits<float>::infinity()));
  EXPECT_TRUE(LseIsKnown(0.0f));
  EXPECT_TRUE(LseIsKnown(-3.5f));
}

}  // namespace
}  // namespace sluice
