// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "daemon/base/mutex.h"

namespace sluice {

// Calls a function again and again on a thread of its own, until it goes.
//
// Thread-compatible.
class PeriodicThread {
 public:
  // `name` has at most 15 characters; `function` runs every `period`.
  PeriodicThread(const char* name, absl::Duration period, std::function<void()> function);
  // Waits for a call that runs.
  ~PeriodicThread();

 private:
  void Run(absl::Duration period) ABSL_LOCKS_EXCLUDED(mu_);

  const std::function<void()> function_;
  Mutex mu_;
  CondVar stop_signal_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace sluice
