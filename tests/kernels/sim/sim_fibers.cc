// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_fibers.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

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

// AddressSanitizer takes all the stacks here for one, so that most switches cost it nothing;
// variables that outlive their function would need a second one for each.
const char* __asan_default_options();
const char* __asan_default_options() { return "detect_stack_use_after_return=0"; }
}

namespace sluice::sim {

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

// No heap memory: hardly any of it is ever touched.
static std::byte* MapStacks(size_t bytes) {
  void* const stacks = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) {
    std::perror("emulated block: no memory for stacks");
    std::abort();
  }
  return static_cast<std::byte*>(stacks);
}

SimFibers::SimFibers() : stacks_(MapStacks(kMostThreads * kStackBytes)) {}

SimFibers::~SimFibers() {
  for (int32_t i = 0; i < kMostThreads; ++i) {
    if (tsan_fibers_[i] != nullptr) __tsan_destroy_fiber(tsan_fibers_[i]);
  }
  munmap(stacks_, kMostThreads * kStackBytes);
}

static size_t PlaceOf(int32_t fiber) {
  return static_cast<size_t>(fiber == SimFibers::kCaller ? kMostThreads : fiber);
}

void SimFibers::NoteLeft(transfer_t from) {
  auto* const fibers = static_cast<SimFibers*>(from.data);
  fibers->contexts_[PlaceOf(fibers->left_)] = from.fctx;
}

void SimFibers::Switch(int32_t fiber) {
  left_ = running_;
  running_ = fiber;
  if (__tsan_switch_to_fiber != nullptr) __tsan_switch_to_fiber(tsan_fibers_[PlaceOf(fiber)], 0);
  NoteLeft(jump_fcontext(contexts_[PlaceOf(fiber)], this));
}

void SimFibers::Enter(transfer_t from) {
  NoteLeft(from);
  auto* const fibers = static_cast<SimFibers*>(from.data);
  if (fibers->left_ == kCaller && __sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(nullptr, &fibers->caller_stack_,
                                    &fibers->caller_stack_bytes_);
  }
  fibers->SwitchTo(fibers->function_(fibers->context_, fibers->running_));
}

void SimFibers::SwitchTo(int32_t fiber) {
  if (fiber == kCaller && __sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(nullptr, caller_stack_, caller_stack_bytes_);
  }
  Switch(fiber);
}

void SimFibers::Run(int32_t count, int32_t first, Function function, void* context) {
  function_ = function;
  context_ = context;
  for (int32_t i = 0; i < count; ++i) {
    contexts_[i] = make_fcontext(stacks_ + (i + 1) * kStackBytes, kStackBytes, &Enter);
    if (__tsan_create_fiber != nullptr && tsan_fibers_[i] == nullptr) {
      tsan_fibers_[i] = __tsan_create_fiber(0);
    }
  }
  if (__tsan_get_current_fiber != nullptr) {
    tsan_fibers_[PlaceOf(kCaller)] = __tsan_get_current_fiber();
  }
  void* fake_stack = nullptr;
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(&fake_stack, stacks_, kMostThreads * kStackBytes);
  }
  Switch(first);
  if (__sanitizer_finish_switch_fiber != nullptr) {
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
  }
}

}  // namespace sluice::sim
