// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/context/fiber.hpp>
#include <cstddef>
#include <functional>
#include <memory>

namespace sluice::sim {

// A function with a stack of its own, which runs it again and again: from a Resume to its
// end, or to where it yields. Sanitizers are told of the stacks.
//
// Not thread-safe. REQUIRES, where it is destroyed: the function is not under way.
class SimFiber {
 public:
  explicit SimFiber(std::function<void()> function);
  ~SimFiber();

  SimFiber(const SimFiber&) = delete;
  SimFiber& operator=(const SimFiber&) = delete;

  // Starts the function, or goes on where it yielded. Whether it has ended.
  bool Resume();

  // In the function: back to who called Resume.
  void Yield();

 private:
  static constexpr size_t kStackBytes = size_t{256} << 10;

  // Gives boost the stack that the fiber holds.
  class HeldStack {
   public:
    explicit HeldStack(std::byte* stack) : stack_(stack) {}
    boost::context::stack_context allocate() const;
    void deallocate(boost::context::stack_context&) const {}

   private:
    std::byte* stack_;
  };

  boost::context::fiber Loop(boost::context::fiber caller);
  void EnterFiber();   // on the fiber's stack, after a switch to it
  void LeaveFiber();   // there, before a switch away
  void BeforeResume();
  void AfterResume();

  const std::function<void()> function_;
  const std::unique_ptr<std::byte[]> stack_;  // not cleared: most of it is never touched
  boost::context::fiber fiber_;   // while the fiber does not run
  boost::context::fiber caller_;  // while it does
  bool ended_ = false;
  bool quit_ = false;
  void* fiber_fake_stack_ = nullptr;  // of AddressSanitizer
  void* caller_fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_bytes_ = 0;
  void* tsan_fiber_ = nullptr;  // of ThreadSanitizer
  void* tsan_caller_ = nullptr;
};

}  // namespace sluice::sim
