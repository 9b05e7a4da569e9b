// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace sluice::bench {

// Threads that run one function together and spin in between, so that what is
// measured has no wake-up in it. Owned by one thread, which is worker 0.
class Workers {
 public:
  explicit Workers(int32_t count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Runs function(worker) on the first `count` workers; returns when all have.
  void Run(int32_t count, const std::function<void(int32_t)>& function);

  int32_t count() const { return static_cast<int32_t>(threads_.size()) + 1; }

 private:
  void Loop(int32_t worker);

  std::vector<std::thread> threads_;
  const std::function<void(int32_t)>* function_ = nullptr;
  int32_t running_ = 0;  // workers of the current round
  std::atomic<int64_t> round_{0};
  std::atomic<int32_t> busy_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace sluice::bench
