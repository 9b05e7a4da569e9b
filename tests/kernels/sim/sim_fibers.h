// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>

namespace sluice::sim {

// The most threads of a block: what kernels are compiled for.
inline constexpr int32_t kMostThreads = 256;

// Up to kMostThreads functions under way on one thread, each on a stack of its own, which
// switch from one to another themselves. Sanitizers are told of the stacks.
//
// Not thread-safe, but any thread may call Run.
class SimFibers {
 public:
  static constexpr int32_t kCaller = -1;

  // A fiber's function. Returns which fiber goes on when it has ended, or kCaller.
  using Function = int32_t (*)(void* context, int32_t fiber);

  SimFibers();
  ~SimFibers();

  SimFibers(const SimFibers&) = delete;
  SimFibers& operator=(const SimFibers&) = delete;

  // Lets `count` fibers run function(context, fiber), each once it is first switched to and
  // `first` now. Returns when one switches to kCaller; the others never go on then.
  void Run(int32_t count, int32_t first, Function function, void* context);

  // In a fiber: lets another or kCaller go on. Returns when this one is switched to.
  void SwitchTo(int32_t fiber);

 private:
  // Not a power of two: the ends of all stacks would be in the same lines of the caches.
  static constexpr size_t kStackBytes = (size_t{256} << 10) + 17 * 64;

  static void Enter(boost::context::detail::transfer_t from);
  void Switch(int32_t fiber);
  static void NoteLeft(boost::context::detail::transfer_t from);

  std::byte* const stacks_;  // [kMostThreads, kStackBytes]
  // Of those that do not run; the caller's is the last.
  std::array<boost::context::detail::fcontext_t, kMostThreads + 1> contexts_ = {};
  int32_t running_ = kCaller;
  int32_t left_ = kCaller;  // the one that ran before
  Function function_ = nullptr;
  void* context_ = nullptr;
  const void* caller_stack_ = nullptr;  // of AddressSanitizer
  size_t caller_stack_bytes_ = 0;
  std::array<void*, kMostThreads + 1> tsan_fibers_ = {};  // of ThreadSanitizer
};

}  // namespace sluice::sim
