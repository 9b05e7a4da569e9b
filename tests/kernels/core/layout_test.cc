// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/core/layout.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace sluice {
namespace {

// Runs `check` for every page format that the layouts are promised for.
void ForEveryFormat(const std::function<void(const PageFormat&)>& check) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const int32_t page_size : {16, 32, 64}) {
      for (const int32_t dim : {64, 80, 96, 128, 256}) {
        for (const RopePairing pairing :
             {RopePairing::kNone, RopePairing::kHalfSplit, RopePairing::kInterleaved}) {
          for (const int32_t rotary_dim : {dim, dim / 2}) {
            SCOPED_TRACE(testing::Message()
                         << DtypeName(dtype) << " page " << page_size << " dim " << dim
                         << " pairing " << static_cast<int>(pairing) << " rotary " << rotary_dim);
            check(PageFormat{dtype, KeySpace::kRotated, pairing, page_size, dim, dim, rotary_dim});
          }
        }
      }
    }
  }
}

// Expects `offset` to take every value below slots * dims exactly once.
void ExpectBijection(int32_t slots, int32_t dims,
                     const std::function<int64_t(int32_t, int32_t)>& offset) {
  const int64_t elements = int64_t{slots} * dims;
  std::vector<bool> taken(static_cast<size_t>(elements));
  for (int32_t slot = 0; slot < slots; ++slot) {
    for (int32_t dim = 0; dim < dims; ++dim) {
      const int64_t at = offset(slot, dim);
      ASSERT_GE(at, 0);
      ASSERT_LT(at, elements);
      ASSERT_FALSE(taken[at]) << "slot " << slot << " dim " << dim;
      taken[at] = true;
    }
  }
}

TEST(LayoutTest, KOffsetsAreABijection) {
  ForEveryFormat([](const PageFormat& format) {
    ExpectBijection(format.page_size, format.k_dim,
                    [&](int32_t slot, int32_t dim) { return KOffset(format, slot, dim); });
  });
}

TEST(LayoutTest, VOffsetsAreABijection) {
  ForEveryFormat([](const PageFormat& format) {
    ExpectBijection(format.page_size, format.v_dim,
                    [&](int32_t slot, int32_t dim) { return VOffset(format, slot, dim); });
  });
}

// The arrays of the layout's definition, indexed as arrays.
TEST(LayoutTest, KTileIsTheArrayOfItsDefinition) {
  ForEveryFormat([](const PageFormat& format) {
    for (int32_t t = 0; t < format.page_size; ++t) {
      for (int32_t position = 0; position < format.k_dim; ++position) {
        const int64_t pairs = format.k_dim / 2;
        const int64_t pair = (t / 16) * pairs + position / 2;
        const int64_t expected = format.dtype == Dtype::kF32
                                     ? (pair * 2 + position % 2) * 16 + t % 16
                                     : (pair * 16 + t % 16) * 2 + position % 2;
        ASSERT_EQ(KOffset(format, t, LaneDim(format, position)), expected);
      }
    }
  });
}

TEST(LayoutTest, VTileIsTheArrayOfItsDefinition) {
  ForEveryFormat([](const PageFormat& format) {
    for (int32_t t = 0; t < format.page_size; ++t) {
      for (int32_t d = 0; d < format.v_dim; ++d) {
        const int64_t dims = format.v_dim;
        const int64_t expected =
            format.dtype == Dtype::kF32 ? t * dims + d : ((t / 2) * dims + d) * 2 + t % 2;
        ASSERT_EQ(VOffset(format, t, d), expected);
      }
    }
  });
}

TEST(LayoutTest, LaneDimIsTheInverseOfLanePosition) {
  ForEveryFormat([](const PageFormat& format) {
    for (int32_t dim = 0; dim < format.k_dim; ++dim) {
      ASSERT_EQ(LaneDim(format, LanePosition(format, dim)), dim);
    }
  });
}

TEST(LayoutTest, RopePartnersShareAPair) {
  PageFormat format{Dtype::kBf16, KeySpace::kRotated, RopePairing::kHalfSplit, 16, 80, 80, 32};
  EXPECT_EQ(LanePosition(format, 3), 6);
  EXPECT_EQ(LanePosition(format, 19), 7);
  EXPECT_EQ(LanePosition(format, 32), 32);
  EXPECT_EQ(LanePosition(format, 79), 79);
  format.pairing = RopePairing::kInterleaved;
  EXPECT_EQ(LanePosition(format, 6), 6);
  EXPECT_EQ(LanePosition(format, 7), 7);
}

TEST(PageFormatTest, TilesArePaddedTo128Bytes) {
  PageFormat format{Dtype::kBf16, KeySpace::kRotated, RopePairing::kNone, 32, 128, 64, 0};
  EXPECT_EQ(KTileBytes(format), 8192);
  EXPECT_EQ(VTileBytes(format), 4096);
  EXPECT_EQ(PageBytes(format), 12288);
  ForEveryFormat([](const PageFormat& any) {
    EXPECT_EQ(KTileBytes(any) % 128, 0);
    EXPECT_EQ(PageBytes(any) % 128, 0);
    EXPECT_GE(KTileBytes(any), int64_t{any.page_size} * any.k_dim * DtypeBytes(any.dtype));
  });
}

TEST(SlabLayoutTest, AreasFollowEachOtherAndFitTheSlab) {
  ForEveryFormat([](const PageFormat& format) {
    for (const int64_t slab_bytes : {int64_t{1} << 20, int64_t{1} << 21}) {
      const SlabLayout layout = MakeSlabLayout(format, slab_bytes);
      const int64_t array_bytes = int64_t{layout.pages} * format.page_size * 4;
      ASSERT_GT(layout.pages, 0);
      EXPECT_GE(layout.position_offset, layout.pages * layout.page_bytes);
      EXPECT_GE(layout.log_mass_offset, layout.position_offset + array_bytes);
      EXPECT_GE(layout.key_norm_offset, layout.log_mass_offset + array_bytes);
      EXPECT_GE(layout.flags_offset, layout.key_norm_offset + array_bytes);
      EXPECT_LE(layout.flags_offset + 4 * layout.pages, slab_bytes);
      EXPECT_EQ(layout.position_offset % 128, 0);
      EXPECT_EQ(layout.log_mass_offset % 128, 0);
      EXPECT_EQ(layout.key_norm_offset % 128, 0);
      EXPECT_EQ(layout.flags_offset % 128, 0);
      EXPECT_GT((layout.pages + 1) * (layout.page_bytes + format.page_size * 12 + 4) + 3 * 128,
                slab_bytes);
    }
  });
}

TEST(SlabLayoutTest, PageNumbersFitTheirBits) {
  const PageFormat format{Dtype::kBf16, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0};
  EXPECT_EQ(MakeSlabLayout(format, int64_t{1} << 30).pages, kMaxPagesPerSlab);
}

TEST(SlabLayoutTest, ASlabTooSmallForAPageHasNone) {
  const PageFormat format{Dtype::kF32, KeySpace::kRotated, RopePairing::kNone, 64, 256, 256, 0};
  EXPECT_EQ(MakeSlabLayout(format, 65536).pages, 0);
}

}  // namespace
}  // namespace sluice
