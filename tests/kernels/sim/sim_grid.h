// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/device/block.h"
#include "tests/kernels/sim/sim_block.h"
#include "tests/kernels/sim/sim_threads.h"

namespace sluice::sim {

// Shared memory that a Hopper or Blackwell GPU gives a block at the most.
inline constexpr int32_t kMostSharedBytes = 227 << 10;

// Runs grids on the calling thread: block after block, their number and order as the seed
// has it. Ends the process where a launch asks for more shared memory a block than
// `shared_bytes`. Not thread-safe.
class SimGrid {
 public:
  explicit SimGrid(uint64_t seed, int32_t shared_bytes = kMostSharedBytes)
      : threads_(seed), shared_bytes_(shared_bytes) {}

  template <class Kernel>
  void Run(const Kernel& kernel, const device::LaunchShape& shape) {
    static_assert(sizeof(Kernel) <= 4096, "parameters of a kernel");
    if (shape.items <= 0 || shape.shared_bytes < 0 || shape.shared_bytes > shared_bytes_) {
      Fail("a launch of %lld items, %d bytes of shared memory",
           static_cast<long long>(shape.items), shape.shared_bytes);
    }
    const auto most = static_cast<uint64_t>(std::min<int64_t>(shape.items, kMostBlocks));
    std::vector<int64_t> order(1 + threads_.Below(most));
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[threads_.Below(i)]);
    const auto bytes = static_cast<size_t>(shape.shared_bytes);
    void* memory = nullptr;
    if (posix_memalign(&memory, 128, std::max<size_t>(bytes, 1)) != 0) Fail("no shared memory");
    const std::unique_ptr<void, Freed> holder(memory);
    copies_.resize(kMostThreads);
    SimShared shared;
    shared.threads = &threads_;
    shared.copies = copies_.data();
    shared.memory = static_cast<std::byte*>(memory);
    shared.memory_bytes = shape.shared_bytes;
    shared.block_threads = shape.threads;
    shared.count = static_cast<int64_t>(order.size());
    for (const int64_t index : order) {
      shared.index = index;
      std::memset(memory, 0xff, bytes);
      threads_.Run(shape.threads, [&](int32_t thread) {
        SimBlock block(&shared, thread);
        kernel(block);
      });
    }
  }

 private:
  static constexpr int64_t kMostBlocks = 64;

  struct Freed {
    void operator()(void* memory) const { std::free(memory); }
  };

  SimThreads threads_;
  const int32_t shared_bytes_;
  std::vector<std::vector<SimCopy>> copies_;  // of a block's threads, whose memory is kept
};

// SimGrid::Run, instantiated once for each kernel beside the tests of its family.
template <class Kernel>
void RunOnSim(const Kernel& kernel, const device::LaunchShape& shape, SimGrid& grid);

}  // namespace sluice::sim
