// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_lane.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/device/lower.h"

namespace sluice::device {
namespace {

Launcher::Options LauncherOptions(const DeviceLane::Options& options, const TableMirror& mirror,
                                  std::function<void(const void*, int64_t)> await_delivered) {
  return {options.pool,          options.pool_bytes, options.lane,
          options.scratch_bytes, options.arithmetic, std::move(await_delivered),
          &mirror};
}

bool Overlap(const Delivery& delivery, const void* memory, int64_t bytes) {
  const auto* const begin = static_cast<const std::byte*>(memory);
  return delivery.to < begin + bytes && begin < delivery.to + delivery.bytes;
}

}  // namespace

DeviceLane::DeviceLane(const Options& options, DeviceRuntime& runtime, TableMirror& mirror)
    : options_(options),
      runtime_(runtime),
      mirror_(mirror),
      staging_(runtime, options.staging_bytes),
      launcher_(LauncherOptions(options, mirror, [this](const void* memory, int64_t bytes) {
                  AwaitDelivered(memory, bytes);
                }),
                runtime, staging_),
      launching_thread_([this] { RunLauncher(); }),
      delivering_thread_([this] { RunDeliverer(); }) {}

DeviceLane::~DeviceLane() {
  stopping_.store(true, std::memory_order_release);
  pushed_signal_.Raise();
  launching_thread_.join();
  launched_signal_.Raise();
  delivering_thread_.join();
}

Ticket DeviceLane::Push(const Operation& operation, uint64_t capture) {
  const Ticket ticket = submitted_.load(std::memory_order_relaxed) + 1;
  if (ticket - passed() > kCapacity) {
    std::fprintf(stderr, "lane full: %zu operations under way\n", kCapacity);
    std::abort();
  }
  Entry& entry = EntryOf(ticket);
  entry.operation = operation;
  entry.after = after_;
  entry.capture = capture;
  submitted_.store(ticket, std::memory_order_release);
  pushed_signal_.Raise();
  return ticket;
}

void DeviceLane::RunLauncher() {
  pthread_setname_np(pthread_self(), options_.lane == Lane::kForeground ? "launch-fg" : "launch-bg");
  for (Ticket next = 1;;) {
    const uint32_t seen = pushed_signal_.value();
    if (next <= submitted()) {
      LaunchNext(next++);
    } else if (stopping_.load(std::memory_order_acquire)) {
      return;
    } else {
      pushed_signal_.Wait(seen, -1);
    }
  }
}

void DeviceLane::LaunchNext(Ticket ticket) {
  Entry& entry = EntryOf(ticket);
  AwaitOther(entry.after);
  mirror_.Bring(options_.lane, entry.capture);
  launcher_.Begin(ticket);
  Lower(entry.operation, launcher_);
  entry.deliveries = launcher_.TakeDeliveries();
  runtime_.Mark(options_.lane, ticket);
  launched_.store(ticket, std::memory_order_release);
  launched_signal_.Raise();
}

void DeviceLane::AwaitOther(Ticket ticket) const {
  for (;;) {
    const uint32_t seen = options_.passed->value();
    if (ticket == 0 || other_->passed() >= ticket) return;
    options_.passed->Wait(seen, -1);
  }
}

// The launching thread alone replaces deliveries, so it may read them at any time.
void DeviceLane::AwaitDelivered(const void* memory, int64_t bytes) {
  for (Ticket ticket = launched_.load(std::memory_order_relaxed); ticket > passed(); --ticket) {
    for (const Delivery& delivery : EntryOf(ticket).deliveries) {
      while (Overlap(delivery, memory, bytes)) {
        const uint32_t seen = options_.passed->value();
        if (passed() >= ticket) return;
        options_.passed->Wait(seen, -1);
      }
    }
  }
}

void DeviceLane::RunDeliverer() {
  pthread_setname_np(pthread_self(), options_.lane == Lane::kForeground ? "deliver-fg" : "deliver-bg");
  for (Ticket next = 1;;) {
    const uint32_t seen = launched_signal_.value();
    if (next <= launched_.load(std::memory_order_acquire)) {
      runtime_.AwaitMark(options_.lane, next);
      Deliver(EntryOf(next).deliveries);
      staging_.Release(next);
      passed_.store(next++, std::memory_order_release);
      options_.passed->Raise();
      if (options_.signal != nullptr) options_.signal->Raise();
    } else if (stopping_.load(std::memory_order_acquire) && next > submitted()) {
      return;
    } else {
      launched_signal_.Wait(seen, -1);
    }
  }
}

}  // namespace sluice::device
