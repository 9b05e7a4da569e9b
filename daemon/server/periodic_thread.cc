// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/periodic_thread.h"

#include <pthread.h>

#include <utility>

#include "absl/time/clock.h"

namespace sluice {

PeriodicThread::PeriodicThread(const char* name, absl::Duration period,
                               std::function<void()> function)
    : function_(std::move(function)) {
  thread_ = std::thread([this, name, period] {
    pthread_setname_np(pthread_self(), name);
    Run(period);
  });
}

PeriodicThread::~PeriodicThread() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  stop_signal_.SignalAll();
  thread_.join();
}

void PeriodicThread::Run(absl::Duration period) {
  while (true) {
    {
      const absl::Time next = absl::Now() + period;
      MutexLock lock(&mu_);
      while (!stop_ && absl::Now() < next) stop_signal_.WaitFor(&mu_, next - absl::Now());
      if (stop_) return;
    }
    function_();
  }
}

}  // namespace sluice
