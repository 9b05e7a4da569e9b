// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_threads.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "tests/kernels/sim/sim_fiber.h"

namespace sluice::sim {

using device::kWarpThreads;

// Of a block: what kernels are compiled for.
constexpr int32_t kMostThreads = 256;

void Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fprintf(stderr, "emulated block: ");
  std::vfprintf(stderr, format, arguments);
  std::fprintf(stderr, "\n");
  va_end(arguments);
  std::abort();
}

struct SimThreads::Fiber {
  Fiber(SimThreads* owner, int32_t number)
      : stack([owner, number] { (*owner->body_)(number); }) {}

  SimFiber stack;
  State state = State::kReady;
  WarpCall call = WarpCall::kSync;
  int32_t line = 0;
};

SimThreads::SimThreads(uint64_t seed) : state_(seed) {}

SimThreads::~SimThreads() = default;

uint64_t SimThreads::Below(uint64_t bound) {
  state_ += 0x9e3779b97f4a7c15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return (z ^ (z >> 31)) % bound;
}

void SimThreads::Grow(int32_t threads) {
  while (static_cast<int32_t>(fibers_.size()) < threads) {
    fibers_.push_back(std::make_unique<Fiber>(this, static_cast<int32_t>(fibers_.size())));
  }
  warps_.resize(fibers_.size() / kWarpThreads);
}

void SimThreads::Run(int32_t threads, const std::function<void(int32_t)>& body) {
  if (threads < kWarpThreads || threads % kWarpThreads != 0 || threads > kMostThreads) {
    Fail("a block of %d threads", threads);
  }
  Grow(threads);
  body_ = &body;
  for (int32_t i = 0; i < threads; ++i) fibers_[i]->state = State::kReady;
  for (;;) {
    const std::vector<int32_t> ready = ChooseReady(threads);
    if (ready.empty()) break;
    ResumeReady(ready);
    const bool warps = ReleaseWarps(threads);
    if (!warps) ReleaseBlock(threads);
  }
  for (int32_t i = 0; i < threads; ++i) {
    if (fibers_[i]->state != State::kEnded) FailStuck(threads);
  }
}

// All threads that may run, or those of one warp; shuffled. Empty: none may.
std::vector<int32_t> SimThreads::ChooseReady(int32_t threads) {
  std::vector<int32_t> ready;
  const bool one_warp = Below(2) == 0;
  const auto warps = static_cast<uint64_t>(threads / kWarpThreads);
  const auto first = static_cast<int32_t>(Below(warps));
  for (int32_t w = 0; w < threads / kWarpThreads; ++w) {
    const int32_t warp = (first + w) % static_cast<int32_t>(warps);
    for (int32_t i = warp * kWarpThreads; i < (warp + 1) * kWarpThreads; ++i) {
      if (fibers_[i]->state == State::kReady) ready.push_back(i);
    }
    if (one_warp && !ready.empty()) break;
  }
  for (size_t i = ready.size(); i > 1; --i) std::swap(ready[i - 1], ready[Below(i)]);
  return ready;
}

void SimThreads::ResumeReady(const std::vector<int32_t>& ready) {
  for (const int32_t thread : ready) {
    Fiber& fiber = *fibers_[thread];
    if (fiber.stack.Resume()) fiber.state = State::kEnded;
  }
}

// Lets warps go on whose lanes have all made the same call.
bool SimThreads::ReleaseWarps(int32_t threads) {
  bool released = false;
  for (int32_t first = 0; first < threads; first += kWarpThreads) {
    const Fiber& head = *fibers_[first];
    bool together = true;
    for (int32_t i = first; together && i < first + kWarpThreads; ++i) {
      const Fiber& fiber = *fibers_[i];
      together = fiber.state == State::kAtWarp && fiber.call == head.call && fiber.line == head.line;
    }
    if (!together) continue;
    released = true;
    Warp& warp = warps_[first / kWarpThreads];
    std::copy_n(warp.brought, kWarpThreads, warp.answer);
    for (int32_t i = first; i < first + kWarpThreads; ++i) fibers_[i]->state = State::kReady;
  }
  return released;
}

bool SimThreads::ReleaseBlock(int32_t threads) {
  for (int32_t i = 0; i < threads; ++i) {
    const Fiber& fiber = *fibers_[i];
    if (fiber.state != State::kAtBlock || fiber.line != fibers_[0]->line) return false;
  }
  for (int32_t i = 0; i < threads; ++i) fibers_[i]->state = State::kReady;
  return true;
}

void SimThreads::FailStuck(int32_t threads) const {
  for (int32_t i = 0; i < threads; ++i) {
    const Fiber& fiber = *fibers_[i];
    const Fiber& before = *fibers_[i == 0 ? 0 : i - 1];
    if (i > 0 && fiber.state == before.state && fiber.line == before.line) continue;
    const char* what = fiber.state == State::kEnded     ? "ended"
                       : fiber.state == State::kAtBlock ? "waits for the block at line"
                                                        : "waits for its warp at line";
    std::fprintf(stderr, "emulated block: from thread %d on: %s %d\n", i, what,
                 fiber.state == State::kEnded ? 0 : fiber.line);
  }
  Fail("its threads wait at different places");
}

void SimThreads::Wait(int32_t thread, State state, WarpCall call, int32_t line) {
  Fiber& fiber = *fibers_[thread];
  fiber.state = state;
  fiber.call = call;
  fiber.line = line;
  fiber.stack.Yield();
}

void SimThreads::AwaitBlock(int32_t thread, int32_t line) {
  Wait(thread, State::kAtBlock, WarpCall::kSync, line);
}

const uint64_t* SimThreads::AwaitWarp(int32_t thread, WarpCall call, uint64_t value,
                                      int32_t line) {
  Warp& warp = warps_[thread / kWarpThreads];
  warp.brought[thread % kWarpThreads] = value;
  Wait(thread, State::kAtWarp, call, line);
  return warp.answer;
}

}  // namespace sluice::sim
