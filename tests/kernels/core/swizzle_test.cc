// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/swizzle.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "kernels/core/layout.h"

namespace sluice {
namespace {

void ForEveryTile(const std::function<void(const SwizzledTile&)>& test) {
  for (const Dtype dtype : {Dtype::kBf16, Dtype::kF32}) {
    for (int32_t dim = 16; dim <= 256; dim += 16) {
      for (const int32_t slots : {16, 32, 64}) {
        SCOPED_TRACE(testing::Message() << DtypeName(dtype) << " " << dim << " x " << slots);
        test(MakeSwizzledTile(slots, dim, dtype));
      }
    }
  }
}

TEST(SwizzleTest, ChunksAreABijection) {
  ForEveryTile([](const SwizzledTile& tile) {
    std::set<int32_t> places;
    for (int32_t slot = 0; slot < tile.slots; ++slot) {
      for (int32_t chunk = 0; chunk < ChunksOfRow(tile); ++chunk) {
        const int32_t place = SwizzledChunk(tile, slot, chunk);
        ASSERT_EQ(place % kChunkBytes, 0);
        ASSERT_TRUE(place >= 0 && place < tile.slots * tile.row_bytes) << place;
        ASSERT_TRUE(places.insert(place).second) << slot << " " << chunk;
      }
    }
  });
}

TEST(SwizzleTest, EightSlotsAtOneChunkMeetInNoBank) {
  ForEveryTile([](const SwizzledTile& tile) {
    for (int32_t first = 0; first < tile.slots; first += 8) {
      for (int32_t chunk = 0; chunk < ChunksOfRow(tile); ++chunk) {
        std::set<int32_t> banks;
        for (int32_t slot = first; slot < first + 8; ++slot) {
          banks.insert(SwizzledChunk(tile, slot, chunk) % kColumnBytes);
        }
        ASSERT_EQ(banks.size(), 8u) << first << " " << chunk;
      }
    }
  });
}

TEST(SwizzleTest, ElementsOfAChunkStayInOrder) {
  PageFormat format;
  format.layout = PageLayout::kSwizzled;
  format.k_dim = 96;
  format.v_dim = 80;
  for (int32_t dim = 0; dim < 80; ++dim) {
    EXPECT_EQ(VOffset(format, 5, dim) - VOffset(format, 5, dim / 8 * 8), dim % 8);
    EXPECT_EQ(KOffset(format, 5, dim) - KOffset(format, 5, dim / 8 * 8), dim % 8);
  }
}

// Columns of 128, 64 and 32 bytes: 224 bytes a slot.
TEST(SwizzleTest, RestsOfARowAreNarrowerColumns) {
  const SwizzledTile tile = MakeSwizzledTile(16, 112, Dtype::kBf16);
  EXPECT_EQ(SwizzledChunk(tile, 0, 7), 7 * 16);
  EXPECT_EQ(SwizzledChunk(tile, 1, 0), 128 + 16);
  EXPECT_EQ(SwizzledChunk(tile, 0, 8), 16 * 128);
  EXPECT_EQ(SwizzledChunk(tile, 2, 8), 16 * 128 + 2 * 64 + 16);
  EXPECT_EQ(SwizzledChunk(tile, 0, 12), 16 * 192);
  EXPECT_EQ(SwizzledChunk(tile, 4, 12), 16 * 192 + 4 * 32 + 16);
}

}  // namespace
}  // namespace sluice
