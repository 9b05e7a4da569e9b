// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_threads.h"

#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sluice::sim {

using device::kWarpThreads;

void Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fprintf(stderr, "emulated block: ");
  std::vfprintf(stderr, format, arguments);
  std::fprintf(stderr, "\n");
  va_end(arguments);
  std::abort();
}

uint64_t SimThreads::Below(uint64_t bound) {
  state_ += 0x9e3779b97f4a7c15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  // Not a remainder: this is what most of a switch would cost.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(z) * bound) >> 64);
}

void SimThreads::Run(int32_t threads, const std::function<void(int32_t)>& body) {
  if (threads < kWarpThreads || threads % kWarpThreads != 0 || threads > kMostThreads) {
    Fail("a block of %d threads", threads);
  }
  if (!fibers_.has_value()) fibers_.emplace();
  body_ = &body;
  warp_count_ = threads / kWarpThreads;
  for (int32_t w = 0; w < warp_count_; ++w) warps_[w].ready = ~0u;
  fibers_->Run(threads, Next(), &RunThread, this);
  CheckEnded();
}

int32_t SimThreads::RunThread(void* self, int32_t thread) {
  auto* const threads = static_cast<SimThreads*>(self);
  (*threads->body_)(thread);
  return threads->Next();
}

// The thread that goes on; kCaller: none may.
int32_t SimThreads::Next() {
  if (order_next_ == order_end_) ChooseOrder();
  return order_next_ == order_end_ ? SimFibers::kCaller : order_[order_next_++];
}

// All threads that may run, or those of one warp; shuffled.
void SimThreads::ChooseOrder() {
  order_next_ = order_end_ = 0;
  if (at_block_count_ == warp_count_ * kWarpThreads) ReleaseBlock();
  const bool one_warp = Below(2) == 0;
  const auto first = static_cast<int32_t>(Below(static_cast<uint64_t>(warp_count_)));
  for (int32_t i = 0; i < warp_count_; ++i) {
    TakeReady(warps_[(first + i) % warp_count_]);
    if (one_warp && order_end_ > 0) break;
  }
  for (int32_t i = order_end_; i > 1; --i) {
    std::swap(order_[i - 1], order_[Below(static_cast<uint64_t>(i))]);
  }
}

void SimThreads::TakeReady(Warp& warp) {
  const auto first = static_cast<int32_t>(&warp - warps_.data()) * kWarpThreads;
  for (uint32_t ready = warp.ready; ready != 0; ready &= ready - 1) {
    order_[order_end_++] = static_cast<int16_t>(first + std::countr_zero(ready));
  }
  warp.ready = 0;
}

bool SimThreads::SamePlace(int32_t first, int32_t count) const {
  for (int32_t i = first + 1; i < first + count; ++i) {
    if (!(places_[i] == places_[first])) return false;
  }
  return true;
}

// Lets a warp go on whose lanes all wait, where they have made the same call.
void SimThreads::Release(Warp& warp) {
  const auto first = static_cast<int32_t>(&warp - warps_.data()) * kWarpThreads;
  if (!SamePlace(first, kWarpThreads)) return;
  warp.answer = warp.brought;
  warp.ballot_answer = std::exchange(warp.ballot, 0);
  warp.at_warp = 0;
  warp.ready = ~0u;
}

void SimThreads::ReleaseBlock() {
  if (!SamePlace(0, warp_count_ * kWarpThreads)) return;
  for (int32_t w = 0; w < warp_count_; ++w) {
    warps_[w].at_block = 0;
    warps_[w].ready = ~0u;
  }
  at_block_count_ = 0;
}

void SimThreads::Yield(int32_t thread) {
  const int32_t next = Next();
  if (next != thread) fibers_->SwitchTo(next);
}

void SimThreads::AwaitBlock(int32_t thread, int32_t line) {
  places_[thread] = {WarpCall::kSync, line};
  warps_[thread / kWarpThreads].at_block |= 1u << (thread % kWarpThreads);
  ++at_block_count_;
  Yield(thread);
}

const uint64_t* SimThreads::AwaitWarp(int32_t thread, WarpCall call, uint64_t value,
                                      int32_t line) {
  places_[thread] = {call, line};
  Warp& warp = warps_[thread / kWarpThreads];
  warp.brought[thread % kWarpThreads] = value;
  warp.at_warp |= 1u << (thread % kWarpThreads);
  if (warp.at_warp == ~0u) Release(warp);
  Yield(thread);
  return warp.answer.data();
}

uint32_t SimThreads::AwaitBallot(int32_t thread, bool value, int32_t line) {
  Warp& warp = warps_[thread / kWarpThreads];
  if (value) warp.ballot |= 1u << (thread % kWarpThreads);
  AwaitWarp(thread, WarpCall::kBallot, 0, line);
  return warp.ballot_answer;
}

// Ends the process where some threads wait although none may run.
void SimThreads::CheckEnded() const {
  bool stuck = false;
  for (int32_t w = 0; w < warp_count_; ++w) {
    stuck = stuck || warps_[w].at_warp != 0 || warps_[w].at_block != 0;
  }
  if (!stuck) return;
  std::pair<const char*, int32_t> before = {};
  for (int32_t i = 0; i < warp_count_ * kWarpThreads; ++i) {
    const Warp& warp = warps_[i / kWarpThreads];
    const uint32_t lane = 1u << (i % kWarpThreads);
    std::pair<const char*, int32_t> what = {"ended", 0};
    if ((warp.at_warp & lane) != 0) what = {"waits for its warp at line", places_[i].line};
    if ((warp.at_block & lane) != 0) what = {"waits for the block at line", places_[i].line};
    if (i > 0 && what == before) continue;
    std::fprintf(stderr, "emulated block: from thread %d on: %s %d\n", i, what.first, what.second);
    before = what;
  }
  Fail("its threads wait at different places");
}

}  // namespace sluice::sim
