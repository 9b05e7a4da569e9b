// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace sluice::client {

// A thread that calls a function at an interval until it returns false, or the
// object goes. Internal.
//
// Thread-compatible.
class Heartbeat {
 public:
  Heartbeat(absl::Duration interval, std::function<bool()> beat);
  // Waits for a beat that is under way. Not to be called by the function.
  ~Heartbeat();

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<bool()> beat_;
  std::mutex mu_;
  std::condition_variable stopped_;
  bool stop_ = false;  // guarded by mu_
  std::thread thread_;
};

}  // namespace sluice::client
