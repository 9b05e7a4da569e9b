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
    for (const int64_t index : order) {
      RunBlock(kernel, shape, index, static_cast<int64_t>(order.size()));
    }
  }

 private:
  static constexpr int64_t kMostBlocks = 64;

  struct Freed {
    void operator()(void* memory) const { std::free(memory); }
  };

  template <class Kernel>
  void RunBlock(const Kernel& kernel, const device::LaunchShape& shape, int64_t index,
                int64_t count) {
    void* memory = nullptr;
    const auto bytes = static_cast<size_t>(shape.shared_bytes);
    if (posix_memalign(&memory, 128, std::max<size_t>(bytes, 1)) != 0) Fail("no shared memory");
    const std::unique_ptr<void, Freed> holder(memory);
    std::memset(memory, 0xff, bytes);
    SimShared shared{&threads_,     static_cast<std::byte*>(memory), shape.shared_bytes,
                     shape.threads, index, count, false};
    threads_.Run(shape.threads, [&](int32_t thread) {
      SimBlock block(&shared, thread);
      kernel(block);
    });
  }

  SimThreads threads_;
  const int32_t shared_bytes_;
};

// SimGrid::Run, instantiated once for each kernel beside the tests of its family.
template <class Kernel>
void RunOnSim(const Kernel& kernel, const device::LaunchShape& shape, SimGrid& grid);

}  // namespace sluice::sim
