// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_fiber.h"

#include <utility>

extern "C" {
// Of the sanitizers' runtimes, where they are linked.
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size)
    __attribute__((weak));
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old,
                                     size_t* size_old) __attribute__((weak));
void* __tsan_get_current_fiber() __attribute__((weak));
void* __tsan_create_fiber(unsigned flags) __attribute__((weak));
void __tsan_destroy_fiber(void* fiber) __attribute__((weak));
void __tsan_switch_to_fiber(void* fiber, unsigned flags) __attribute__((weak));
}

namespace sluice::sim {

boost::context::stack_context SimFiber::HeldStack::allocate() const {
  boost::context::stack_context context;
  context.size = kStackBytes;
  context.sp = stack_ + kStackBytes;  // stacks grow down
  return context;
}

SimFiber::SimFiber(std::function<void()> function)
    : function_(std::move(function)), stack_(new std::byte[kStackBytes]) {
  if (__tsan_create_fiber != nullptr) tsan_fiber_ = __tsan_create_fiber(0);
  fiber_ = boost::context::fiber(
      std::allocator_arg, HeldStack(stack_.get()),
      [this](boost::context::fiber&& caller) { return Loop(std::move(caller)); });
}

SimFiber::~SimFiber() {
  quit_ = true;
  Resume();
  if (tsan_fiber_ != nullptr) __tsan_destroy_fiber(tsan_fiber_);
}

boost::context::fiber SimFiber::Loop(boost::context::fiber caller) {
  caller_ = std::move(caller);
  EnterFiber();
  while (!quit_) {
    function_();
    ended_ = true;
    Yield();
  }
  LeaveFiber();
  return std::move(caller_);
}

void SimFiber::EnterFiber() {
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fiber_fake_stack_, &caller_stack_, &caller_stack_bytes_);
  }
}

void SimFiber::LeaveFiber() {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(quit_ ? nullptr : &fiber_fake_stack_, caller_stack_,
                                   caller_stack_bytes_);
  }
  if (tsan_caller_ != nullptr) __tsan_switch_to_fiber(tsan_caller_, 0);
}

void SimFiber::BeforeResume() {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&caller_fake_stack_, stack_.get(), kStackBytes);
  }
  if (tsan_fiber_ != nullptr) {
    tsan_caller_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_fiber_, 0);
  }
}

void SimFiber::AfterResume() {
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(caller_fake_stack_, nullptr, nullptr);
  }
}

bool SimFiber::Resume() {
  ended_ = false;
  BeforeResume();
  fiber_ = std::move(fiber_).resume();
  AfterResume();
  return ended_;
}

void SimFiber::Yield() {
  LeaveFiber();
  caller_ = std::move(caller_).resume();
  EnterFiber();
}

}  // namespace sluice::sim
