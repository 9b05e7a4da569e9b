// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/testing/gated_backend.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"

namespace sluice {
namespace {

size_t Index(Lane lane) { return static_cast<size_t>(lane); }

}  // namespace

void BackendGate::Hold(Lane lane) {
  std::lock_guard lock(mu_);
  lanes_[Index(lane)].held = true;
}

void BackendGate::Open(Lane lane) {
  std::lock_guard lock(mu_);
  lanes_[Index(lane)].held = false;
  changed_.notify_all();
}

void BackendGate::AwaitWaiting(Lane lane, int64_t count) {
  std::unique_lock lock(mu_);
  const LaneState& state = lanes_[Index(lane)];
  changed_.wait(lock, [&] { return static_cast<int64_t>(state.queue.size()) >= count; });
}

void BackendGate::AwaitIdle(Lane lane) {
  std::unique_lock lock(mu_);
  const LaneState& state = lanes_[Index(lane)];
  changed_.wait(lock, [&] { return state.queue.empty() && !state.running; });
}

int64_t BackendGate::SubmittedOfKind(size_t kind) const {
  std::lock_guard lock(mu_);
  return kinds_[kind];
}

double BackendGate::BackgroundShare() const {
  std::lock_guard lock(mu_);
  return background_share_;
}

int64_t BackendGate::MostUnderWay(Lane lane) const {
  std::lock_guard lock(mu_);
  return lanes_[Index(lane)].most;
}

GatedBackend::GatedBackend(const BackendOptions& options, std::shared_ptr<BackendGate> gate)
    : gate_(std::move(gate)), signal_(options.signal), inner_(options.pool, nullptr) {
  for (const Lane lane : {Lane::kForeground, Lane::kBackground}) {
    threads_.emplace_back([this, lane] { Run(lane); });
    pthread_setname_np(threads_.back().native_handle(), "gated-lane");
  }
}

GatedBackend::~GatedBackend() {
  {
    std::lock_guard lock(gate_->mu_);
    gate_->stopping_ = true;
    gate_->changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

Ticket GatedBackend::Submit(Lane lane, const Operation& operation) {
  std::lock_guard lock(gate_->mu_);
  BackendGate::LaneState& state = gate_->lanes_[Index(lane)];
  state.queue.push_back({operation, state.after});
  ++gate_->kinds_[operation.index()];
  const Ticket ticket = ++state.submitted;
  const auto under_way = static_cast<int64_t>(ticket - state.passed.load());
  SLUICE_CHECK(under_way <= kLaneCapacity) << "a lane takes " << kLaneCapacity << " operations";
  state.most = std::max(state.most, under_way);
  gate_->changed_.notify_all();
  return ticket;
}

void GatedBackend::After(Lane lane, Ticket ticket) {
  std::lock_guard lock(gate_->mu_);
  BackendGate::LaneState& state = gate_->lanes_[Index(lane)];
  state.after = std::max(state.after, ticket);
}

Ticket GatedBackend::Submitted(Lane lane) const {
  std::lock_guard lock(gate_->mu_);
  return gate_->lanes_[Index(lane)].submitted;
}

Ticket GatedBackend::Completed(Lane lane) const {
  return gate_->lanes_[Index(lane)].passed.load(std::memory_order_acquire);
}

void GatedBackend::SetBackgroundShare(double share) {
  std::lock_guard lock(gate_->mu_);
  gate_->background_share_ = share;
}

void GatedBackend::WaitIdle() {
  std::unique_lock lock(gate_->mu_);
  for (BackendGate::LaneState& state : gate_->lanes_) state.held = false;
  gate_->changed_.notify_all();
  gate_->changed_.wait(lock, [this] {
    return std::all_of(gate_->lanes_.begin(), gate_->lanes_.end(),
                       [](const auto& state) { return state.queue.empty() && !state.running; });
  });
}

void GatedBackend::Run(Lane lane) {
  BackendGate::LaneState& state = gate_->lanes_[Index(lane)];
  BackendGate::LaneState& other = gate_->lanes_[1 - Index(lane)];
  std::unique_lock lock(gate_->mu_);
  while (true) {
    gate_->changed_.wait(lock, [&] {
      if (state.queue.empty() || state.held) return gate_->stopping_;
      return other.passed.load() >= state.queue.front().after;
    });
    if (state.queue.empty() || state.held) return;
    const Operation operation = state.queue.front().operation;
    state.queue.pop_front();
    state.running = true;
    lock.unlock();
    inner_.Submit(lane, operation);
    lock.lock();
    state.running = false;
    state.passed.fetch_add(1, std::memory_order_release);
    gate_->changed_.notify_all();
    if (signal_ != nullptr) signal_->Raise();
  }
}

}  // namespace sluice
