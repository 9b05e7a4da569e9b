// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_lane.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "kernels/device/lower.h"

namespace sluice::device {
namespace {

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
      launcher_({options.pool, options.pool_bytes, options.lane, options.scratch_bytes,
                 options.arithmetic, &mirror,
                 [this](const void* memory, int64_t bytes) { AwaitDelivered(memory, bytes); },
                 [this](std::vector<Delivery> deliveries) {
                   return EndPart(std::move(deliveries), 0);
                 }},
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
  launcher_.Begin(launched_.load(std::memory_order_relaxed) + 1);
  Lower(entry.operation, launcher_);
  EndPart(launcher_.TakeDeliveries(), ticket);
}

// The device marks as many parts as there are places for.
Ticket DeviceLane::EndPart(std::vector<Delivery> deliveries, Ticket operation) {
  const Ticket part = launched_.load(std::memory_order_relaxed) + 1;
  for (;;) {
    const uint32_t seen = options_.passed->value();
    if (part - delivered() <= kCapacity) break;
    options_.passed->Wait(seen, -1);
  }
  PartOf(part) = {std::move(deliveries), operation};
  runtime_.Mark(options_.lane, part);
  launched_.store(part, std::memory_order_release);
  launched_signal_.Raise();
  return part + 1;
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
  for (Ticket part = launched_.load(std::memory_order_relaxed); part > delivered(); --part) {
    for (const Delivery& delivery : PartOf(part).deliveries) {
      while (Overlap(delivery, memory, bytes)) {
        const uint32_t seen = options_.passed->value();
        if (delivered() >= part) return;
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
      Deliver(PartOf(next).deliveries);
      staging_.Release(next);
      PassPart(next++);
    } else if (stopping_.load(std::memory_order_acquire) && passed() == submitted()) {
      return;
    } else {
      launched_signal_.Wait(seen, -1);
    }
  }
}

void DeviceLane::PassPart(Ticket part) {
  const Ticket operation = PartOf(part).operation;
  delivered_.store(part, std::memory_order_release);
  if (operation != 0) passed_.store(operation, std::memory_order_release);
  options_.passed->Raise();
  if (operation != 0 && options_.signal != nullptr) options_.signal->Raise();
}

}  // namespace sluice::device
