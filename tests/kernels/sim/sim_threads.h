// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/device/block.h"

namespace sluice::sim {

// What the lanes of a warp wait for together.
enum class WarpCall : uint8_t { kSync, kShuffle, kBallot, kMatrices, kProduct };

// Ends the process with a message: the kernel broke a rule of blocks.
[[noreturn]] void Fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The threads of one block at a time, each a fiber on the calling thread.
//
// Between the places where threads wait for each other they run one after the other, in an
// order that the seed shuffles: sometimes all of them a little, sometimes one warp as far
// as it gets. A block whose threads wait at different places, or of which some have ended
// while others wait, ends the process with a message that names the lines.
//
// Not thread-safe: whoever made it.
class SimThreads {
 public:
  explicit SimThreads(uint64_t seed);
  ~SimThreads();

  SimThreads(const SimThreads&) = delete;
  SimThreads& operator=(const SimThreads&) = delete;

  // Runs body(thread) in every thread of a block.
  void Run(int32_t threads, const std::function<void(int32_t)>& body);

  // Called in a thread: returns once all threads of the block have called it at `line`.
  void AwaitBlock(int32_t thread, int32_t line);

  // Called in a thread: returns once all lanes of its warp have made the same call at
  // `line`, with what each of them brought: [32].
  const uint64_t* AwaitWarp(int32_t thread, WarpCall call, uint64_t value, int32_t line);

  // The next number of the seed's sequence, below `bound`.
  uint64_t Below(uint64_t bound);

 private:
  enum class State : uint8_t { kReady, kAtBlock, kAtWarp, kEnded };
  struct Fiber;

  struct Warp {
    uint64_t brought[device::kWarpThreads] = {};
    uint64_t answer[device::kWarpThreads] = {};
  };

  void Grow(int32_t threads);
  void ResumeReady(const std::vector<int32_t>& ready);
  std::vector<int32_t> ChooseReady(int32_t threads);
  bool ReleaseWarps(int32_t threads);
  bool ReleaseBlock(int32_t threads);
  [[noreturn]] void FailStuck(int32_t threads) const;
  void Wait(int32_t thread, State state, WarpCall call, int32_t line);

  uint64_t state_;
  const std::function<void(int32_t)>* body_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Warp> warps_;
};

}  // namespace sluice::sim
