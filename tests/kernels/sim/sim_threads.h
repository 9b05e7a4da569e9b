// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "kernels/device/block.h"
#include "tests/kernels/sim/sim_fibers.h"

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
  explicit SimThreads(uint64_t seed) : state_(seed) {}

  SimThreads(const SimThreads&) = delete;
  SimThreads& operator=(const SimThreads&) = delete;

  // Runs body(thread) in every thread of a block.
  void Run(int32_t threads, const std::function<void(int32_t)>& body);

  // Called in a thread: returns once all threads of the block have called it at `line`.
  void AwaitBlock(int32_t thread, int32_t line);

  // Called in a thread: returns once all lanes of its warp have made the same call at
  // `line`, with what each of them brought: [32].
  const uint64_t* AwaitWarp(int32_t thread, WarpCall call, uint64_t value, int32_t line);

  // As AwaitWarp; returns bit i: what lane i brought.
  uint32_t AwaitBallot(int32_t thread, bool value, int32_t line);

  // The next number of the seed's sequence, below `bound`.
  uint64_t Below(uint64_t bound);

 private:
  static constexpr int32_t kMostWarps = kMostThreads / device::kWarpThreads;

  // Lanes are bits; one that is in none of the sets runs, is about to, or has ended.
  struct Warp {
    uint32_t ready = ~0u;
    uint32_t at_warp = 0;
    uint32_t at_block = 0;
    std::array<uint64_t, device::kWarpThreads> brought = {};
    std::array<uint64_t, device::kWarpThreads> answer = {};
    uint32_t ballot = 0;  // of what was brought
    uint32_t ballot_answer = 0;
  };

  // Where a thread waits, or did last.
  struct Place {
    WarpCall call = WarpCall::kSync;
    int32_t line = 0;
    bool operator==(const Place&) const = default;
  };

  static int32_t RunThread(void* self, int32_t thread);
  int32_t Next();
  void ChooseOrder();
  void TakeReady(Warp& warp);
  void Release(Warp& warp);
  void ReleaseBlock();
  bool SamePlace(int32_t first, int32_t count) const;
  void Yield(int32_t thread);
  void CheckEnded() const;

  uint64_t state_;
  std::optional<SimFibers> fibers_;  // from the first block on
  const std::function<void(int32_t)>* body_ = nullptr;
  int32_t warp_count_ = 0;
  int32_t at_block_count_ = 0;
  std::array<Warp, kMostWarps> warps_;
  std::array<Place, kMostThreads> places_;
  // Threads that are about to run: [order_next_, order_end_).
  std::array<int16_t, kMostThreads> order_;
  int32_t order_next_ = 0;
  int32_t order_end_ = 0;
};

}  // namespace sluice::sim
