// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/heartbeat.h"

#include <pthread.h>

#include <utility>

namespace sluice::client {

Heartbeat::Heartbeat(absl::Duration interval, std::function<bool()> beat)
    : interval_(interval), beat_(std::move(beat)), thread_([this] { Run(); }) {}

Heartbeat::~Heartbeat() {
  {
    std::lock_guard<std::mutex> lock(mu_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void Heartbeat::Run() {
  pthread_setname_np(pthread_self(), "sluice-beat");
  const auto interval = absl::ToChronoNanoseconds(interval_);
  std::unique_lock<std::mutex> lock(mu_);
  while (!stopped_.wait_for(lock, interval, [this] { return stop_; })) {
    lock.unlock();
    const bool go_on = beat_();
    lock.lock();
    if (!go_on) return;
  }
}

}  // namespace sluice::client
