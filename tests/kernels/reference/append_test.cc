// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/layout.h"
#include "kernels/core/number.h"
#include "kernels/reference/reference_backend.h"
#include "tests/kernels/testing/operations.h"

namespace sluice {
namespace {

using kernels_testing::SequenceShape;
using kernels_testing::TestBatch;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One token appended to an empty sequence of one row of 16 dims.
class ReferenceAppendTest : public testing::Test {
 protected:
  explicit ReferenceAppendTest(Dtype dtype = Dtype::kF16)
      : format_{dtype, KeySpace::kRotated, RopePairing::kNone, 16, 16, 16, 0},
        batch_(format_, 1, 7) {
    batch_.AddSequence(SequenceShape{0, 100, 0, 0, 1});
    page_ = *batch_.world().Table<uint32_t>(
        4 * uint64_t{*batch_.world().Table<uint32_t>(batch_.entries()[0].block_list_offset)});
  }

  int64_t Append(const std::vector<float>& k, const std::vector<float>& v) {
    const LayerShape layer = kernels_testing::MakeLayer(format_, 0, 1, 1);
    const StepView view = batch_.View();
    int64_t non_finite = 0;
    AppendArgs args;
    args.view = &view;
    args.layer = &layer;
    args.k = k.data();
    args.v = v.data();
    args.token_count = 1;
    args.non_finite_count = &non_finite;
    ReferenceBackend backend(batch_.pool(), nullptr);
    kernels_testing::RunOperation(backend, args);
    return non_finite;
  }

  const SlabLayout& slab() const { return batch_.world().format(0).slab; }
  const std::byte* page_data() const { return PageData(batch_.pool(), slab(), page_); }

  PageFormat format_;
  TestBatch batch_;
  uint32_t page_ = 0;
};

TEST_F(ReferenceAppendTest, StoresTheSlotWithItsFacts) {
  std::vector<float> k(16);
  k[0] = 3.0f;
  k[9] = -4.0f;
  EXPECT_EQ(Append(k, std::vector<float>(16, 0.5f)), 0);
  EXPECT_EQ(LoadAsFloat(page_data(), Dtype::kF16, KOffset(format_, 0, 9)), -4.0f);
  EXPECT_EQ(LoadAsFloat(page_data() + KTileBytes(format_), Dtype::kF16, VOffset(format_, 0, 15)),
            0.5f);
  EXPECT_EQ(PagePositions(batch_.pool(), slab(), page_)[0], 100);
  EXPECT_EQ(PageLogMass(batch_.pool(), slab(), page_)[0], 0.0f);
  EXPECT_EQ(PageKeyNorms(batch_.pool(), slab(), page_)[0], 5.0f);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), page_), 0u);
}

TEST_F(ReferenceAppendTest, ClearsTheRestOfAFreshPage) {
  Append(std::vector<float>(16, 1.0f), std::vector<float>(16, 1.0f));
  for (int32_t slot = 1; slot < 16; ++slot) {
    for (int32_t dim = 0; dim < 16; ++dim) {
      ASSERT_EQ(LoadAsFloat(page_data(), Dtype::kF16, KOffset(format_, slot, dim)), 0.0f);
      ASSERT_EQ(
          LoadAsFloat(page_data() + KTileBytes(format_), Dtype::kF16, VOffset(format_, slot, dim)),
          0.0f);
    }
    EXPECT_EQ(PagePositions(batch_.pool(), slab(), page_)[slot], 0);
    EXPECT_EQ(PageKeyNorms(batch_.pool(), slab(), page_)[slot], 0.0f);
  }
}

// 1e5 is a number in fp32 and infinite in fp16.
TEST_F(ReferenceAppendTest, WhatIsNotFiniteAsStoredBecomesASlotWithoutWeight) {
  std::vector<float> v(16, 1.0f);
  v[3] = 1e5f;
  EXPECT_EQ(Append(std::vector<float>(16, 1.0f), v), 1);
  for (int32_t dim = 0; dim < 16; ++dim) {
    ASSERT_EQ(LoadAsFloat(page_data(), Dtype::kF16, KOffset(format_, 0, dim)), 0.0f);
    ASSERT_EQ(LoadAsFloat(page_data() + KTileBytes(format_), Dtype::kF16, VOffset(format_, 0, dim)),
              0.0f);
  }
  EXPECT_EQ(PageLogMass(batch_.pool(), slab(), page_)[0], -kInfinity);
  EXPECT_EQ(PageKeyNorms(batch_.pool(), slab(), page_)[0], kInfinity);
  EXPECT_EQ(*PageFlags(batch_.pool(), slab(), page_), kPageHasMass);
}

class ReferenceWideAppendTest : public ReferenceAppendTest {
 protected:
  ReferenceWideAppendTest() : ReferenceAppendTest(Dtype::kF32) {}
};

TEST_F(ReferenceWideAppendTest, AFiniteKeyWhoseNormIsBeyondFp32Stays) {
  EXPECT_EQ(Append(std::vector<float>(16, 3e38f), std::vector<float>(16, 1.0f)), 0);
  EXPECT_EQ(PageKeyNorms(batch_.pool(), slab(), page_)[0], kInfinity);
  EXPECT_EQ(PageLogMass(batch_.pool(), slab(), page_)[0], 0.0f);
}

TEST_F(ReferenceAppendTest, TheNormIsThatOfTheKeyAsStored) {
  Append(std::vector<float>(16, 0.1f), std::vector<float>(16, 1.0f));
  EXPECT_FLOAT_EQ(PageKeyNorms(batch_.pool(), slab(), page_)[0], 4.0f * RoundTo(Dtype::kF16, 0.1f));
}

}  // namespace
}  // namespace sluice
