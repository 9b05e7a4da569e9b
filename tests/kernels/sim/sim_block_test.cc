// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_block.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/sim/sim_grid.h"

namespace sluice::sim {
namespace {

using device::LaunchShape;

constexpr int kSeeds = 10;

template <class Body>
struct KernelOf {
  Body body;
  template <class Block>
  void operator()(Block& block) const {
    body(block);
  }
};

// Runs `body(block)` as a kernel.
template <class Body>
void RunKernel(const LaunchShape& shape, const Body& body, uint64_t seed = 1) {
  SimGrid(seed).Run(KernelOf<Body>{body}, shape);
}

TEST(SimBlockTest, EveryItemIsDoneByOneBlock) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    std::vector<int> done(100);
    RunKernel({100, 32, 0}, [&](SimBlock& block) {
      for (int64_t i = block.index(); i < 100; i += block.count()) {
        if (block.thread() == 0) ++done[i];
      }
    }, seed);
    EXPECT_EQ(done, std::vector<int>(100, 1));
  }
}

TEST(SimBlockTest, SyncShowsWhatOthersWrote) {
  RunKernel({1, 128, 128 * 4}, [](SimBlock& block) {
    auto* const values = reinterpret_cast<int32_t*>(block.shared());
    values[block.thread()] = block.thread();
    block.Sync();
    EXPECT_EQ(values[127 - block.thread()], 127 - block.thread());
  });
}

TEST(SimBlockTest, ShufflesAndBallotsAreAWarps) {
  RunKernel({1, 64, 0}, [](SimBlock& block) {
    const int32_t thread = block.thread();
    EXPECT_EQ(block.Shuffle(thread, 5), thread / 32 * 32 + 5);
    EXPECT_EQ(block.ShuffleXor(static_cast<uint64_t>(thread), 1), static_cast<uint64_t>(thread ^ 1));
    EXPECT_EQ(block.Ballot(thread >= 40), thread < 32 ? 0u : 0xffffff00u);
    EXPECT_EQ(device::WarpSum(block, 1.0f), 32.0f);
  });
}

TEST(SimBlockTest, SharedMemoryStartsAsNan) {
  RunKernel({1, 32, 64}, [](SimBlock& block) {
    EXPECT_TRUE(std::isnan(reinterpret_cast<float*>(block.shared())[block.thread() % 16]));
  });
}

TEST(SimBlockTest, CopiesArriveWhenTheyAreWaitedFor) {
  alignas(16) float source[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  RunKernel({1, 32, 32}, [&](SimBlock& block) {
    if (block.thread() != 0) return;
    auto* const values = reinterpret_cast<float*>(block.shared());
    block.CopyAsync(values, source);
    block.CommitCopies();
    block.CopyAsync(values + 4, source + 4);
    block.CommitCopies();
    EXPECT_TRUE(std::isnan(values[0]));
    block.WaitCopies<1>();
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_TRUE(std::isnan(values[4]));
    block.WaitCopies<0>();
    EXPECT_EQ(values[7], 8.0f);
  });
}

TEST(SimBlockTest, TheLastBlockToArriveSeesTheOthers) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    std::vector<int32_t> sums(40);
    uint32_t arrivals = 0;
    int32_t lasts = 0;
    RunKernel({40, 32, 0}, [&](SimBlock& block) {
      for (int64_t i = block.index(); i < 40; i += block.count()) {
        if (block.thread() == 0) sums[i] = 1;
        if (!block.ArriveLast(&arrivals, 40)) continue;
        for (const int32_t sum : sums) EXPECT_EQ(sum, 1);
        if (block.thread() == 0) ++lasts;
      }
    }, seed);
    EXPECT_EQ(lasts, 1);
    EXPECT_EQ(arrivals, 0u);
  }
}

// A neighbour's value without a Sync: some seed must run the reader first.
TEST(SimBlockTest, OrdersShowAMissingSync) {
  int wrong = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    RunKernel({1, 64, 64 * 4}, [&](SimBlock& block) {
      auto* const values = reinterpret_cast<int32_t*>(block.shared());
      values[block.thread()] = block.thread();
      if (values[(block.thread() + 1) % 64] != (block.thread() + 1) % 64) ++wrong;
    }, seed);
  }
  EXPECT_GT(wrong, 0);
}

// A warp's value without a Sync, behind calls of the reader's own warp: some seed must run
// that warp through all of them first.
TEST(SimBlockTest, OrdersLetAWarpGoAsFarAsItGets) {
  int wrong = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    RunKernel({1, 64, 64 * 4}, [&](SimBlock& block) {
      auto* const values = reinterpret_cast<int32_t*>(block.shared());
      if (block.thread() < 32) {
        for (int i = 0; i < 100; ++i) block.SyncWarp();
        if (values[block.thread() + 32] != 1) ++wrong;
      } else {
        values[block.thread()] = 1;
      }
    }, seed);
  }
  EXPECT_GT(wrong, 0);
}

using SimBlockDeathTest = testing::Test;

TEST(SimBlockDeathTest, ThreadsThatWaitAtDifferentPlacesFail) {
  const auto body = [](SimBlock& block) {
    if (block.thread() < 32) {
      block.Sync();
    } else {
      block.Sync();
    }
  };
  EXPECT_DEATH(RunKernel({1, 64, 0}, body), "wait at different places");
}

TEST(SimBlockDeathTest, AThreadThatLeavesTheOthersWaitingFails) {
  const auto body = [](SimBlock& block) {
    if (block.thread() > 0) block.Sync();
  };
  EXPECT_DEATH(RunKernel({1, 32, 0}, body), "wait at different places");
}

TEST(SimBlockDeathTest, BlocksHaveWholeWarpsAndNoMoreThreadsThanKernelsAreCompiledFor) {
  const auto body = [](SimBlock&) {};
  RunKernel({1, 256, 0}, body);
  EXPECT_DEATH(RunKernel({1, 288, 0}, body), "a block of 288 threads");
  EXPECT_DEATH(RunKernel({1, 48, 0}, body), "a block of 48 threads");
}

TEST(SimBlockDeathTest, CopiesMustBeWaitedFor) {
  alignas(16) static const float source[4] = {};
  const auto body = [](SimBlock& block) { block.CopyAsync(block.shared(), source); };
  EXPECT_DEATH(RunKernel({1, 32, 16}, body), "without having waited for its copies");
}

TEST(SimBlockDeathTest, CopiesStayInSharedMemory) {
  alignas(16) static const float source[4] = {};
  const auto body = [](SimBlock& block) { block.CopyAsync(block.shared() + 16, source); };
  EXPECT_DEATH(RunKernel({1, 32, 16}, body), "beyond the 16 bytes");
}

}  // namespace
}  // namespace sluice::sim
