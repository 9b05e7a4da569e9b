// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/workers.h"

#include <pthread.h>

namespace sluice::bench {

Workers::Workers(int32_t count) {
  for (int32_t worker = 1; worker < count; ++worker) {
    threads_.emplace_back([this, worker] { Loop(worker); });
    pthread_setname_np(threads_.back().native_handle(), "bench_worker");
  }
}

Workers::~Workers() {
  stopping_.store(true, std::memory_order_release);
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Run(int32_t count, const std::function<void(int32_t)>& function) {
  function_ = &function;
  running_ = count;
  busy_.store(static_cast<int32_t>(threads_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  function(0);
  while (busy_.load(std::memory_order_acquire) != 0) __builtin_ia32_pause();
}

void Workers::Loop(int32_t worker) {
  int64_t seen = 0;
  while (!stopping_.load(std::memory_order_acquire)) {
    if (round_.load(std::memory_order_acquire) == seen) {
      __builtin_ia32_pause();
      continue;
    }
    ++seen;
    if (worker < running_) (*function_)(worker);
    busy_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace sluice::bench
