// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_matrix.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/core/number.h"
#include "tests/kernels/sim/sim_block.h"
#include "tests/kernels/sim/sim_grid.h"

namespace sluice::sim {
namespace {

constexpr int32_t kProducts = 2;
constexpr int32_t kColumns = kProducts * kFragmentColumns;
constexpr int32_t kSharedBytes = 2 * 16 * 16 * 2;

// sums [16, 16] += a [16, 16] * b [16, 16], with a and b as they lie in shared memory:
// b by its columns, or by its rows.
struct ProductKernel {
  const uint16_t* a;
  const uint16_t* b;
  bool by_rows;
  float* sums;

  void operator()(SimBlock& block) const {
    auto* const shared = reinterpret_cast<uint16_t*>(block.shared());
    for (int32_t i = block.thread(); i < 256; i += block.threads()) {
      shared[i] = a[i];
      shared[256 + i] = b[i];
    }
    block.SyncWarp();
    // Matrices 0 .. 3: the quarters, rows first.
    const int32_t lane = block.lane();
    const int32_t row = lane % 8 + lane / 8 % 2 * 8;
    const int32_t column = lane / 16 * 8;
    uint32_t left[4];
    block.LoadMatrices<false>(left, shared + row * 16 + column);
    uint32_t quarters[4];
    float result[kProducts][4] = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    if (by_rows) {
      block.LoadMatrices<true>(quarters, shared + 256 + row * 16 + column);
      const uint32_t right[kProducts][2] = {{quarters[0], quarters[1]}, {quarters[2], quarters[3]}};
      block.MultiplyAdd<Dtype::kBf16>(result, left, right);
    } else {
      block.LoadMatrices<false>(quarters, shared + 256 + row * 16 + column);
      const uint32_t right[kProducts][2] = {{quarters[0], quarters[2]}, {quarters[1], quarters[3]}};
      block.MultiplyAdd<Dtype::kBf16>(result, left, right);
    }
    for (int32_t product = 0; product < kProducts; ++product) {
      for (int32_t i = 0; i < 4; ++i) {
        const FragmentPlace at = PlaceInSums(lane, i);
        sums[at.row * kColumns + product * kFragmentColumns + at.column] = result[product][i];
      }
    }
  }
};

class SimMatrixTest : public testing::TestWithParam<bool> {};

TEST_P(SimMatrixTest, ProductsAreThoseOfTheMatrices) {
  const uint32_t seed = 7;
  std::mt19937 random(seed);
  std::vector<float> a(256), b(256);
  std::vector<uint16_t> a_bits(256), b_bits(256);
  for (int32_t i = 0; i < 256; ++i) {
    a[i] = static_cast<float>(static_cast<int32_t>(random() % 33) - 16);
    b[i] = static_cast<float>(static_cast<int32_t>(random() % 33) - 16);
  }
  for (int32_t row = 0; row < 16; ++row) {
    for (int32_t column = 0; column < 16; ++column) {
      a_bits[row * 16 + column] = FloatToBf16(a[row * 16 + column]);
      b_bits[GetParam() ? row * 16 + column : column * 16 + row] =
          FloatToBf16(b[row * 16 + column]);
    }
  }
  std::vector<float> sums(16 * kColumns);
  const ProductKernel kernel = {a_bits.data(), b_bits.data(), GetParam(), sums.data()};
  SimGrid(seed).Run(kernel, {1, 32, kSharedBytes});
  for (int32_t row = 0; row < 16; ++row) {
    for (int32_t column = 0; column < kColumns; ++column) {
      float expected = 1.0f;
      for (int32_t k = 0; k < 16; ++k) expected += a[row * 16 + k] * b[k * 16 + column];
      EXPECT_EQ(sums[row * kColumns + column], expected) << row << ", " << column;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Storage, SimMatrixTest, testing::Bool(), [](const auto& storage) {
  return storage.param ? "ByRows" : "ByColumns";
});

TEST(SimMatrixDeathTest, MatricesLieInSharedMemory) {
  const struct {
    void operator()(SimBlock& block) const {
      uint32_t words[4];
      block.LoadMatrices<false>(words, block.shared() + block.lane() * 16);
    }
  } kernel;
  EXPECT_DEATH(SimGrid(1).Run(kernel, {1, 32, 256}), "a matrix goes beyond the 256 bytes");
}

}  // namespace
}  // namespace sluice::sim
