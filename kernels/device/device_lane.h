// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/backend.h"
#include "kernels/completion_signal.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_runtime.h"
#include "kernels/device/launcher.h"
#include "kernels/device/staging.h"
#include "kernels/device/table_mirror.h"
#include "kernels/ops.h"

namespace sluice::device {

// One lane: a ring of operations that a thread launches in order, as far ahead of the
// device as staging allows, each in one part or more; another one delivers the parts when
// they have run.
//
// Push, SetAfter: one thread. submitted, passed: any thread. Nothing here blocks but the
// destructor, which returns once all that was pushed has passed.
class DeviceLane {
 public:
  struct Options {
    Lane lane = Lane::kForeground;
    PoolView pool;
    int64_t pool_bytes = 0;
    int64_t staging_bytes = 0;
    int64_t scratch_bytes = 0;
    Arithmetic arithmetic = Arithmetic::kFp32;
    CompletionSignal* passed = nullptr;  // of both lanes; raised after every operation
    CompletionSignal* signal = nullptr;  // likewise; null: nobody waits
  };

  // The others outlive the object. Where memory is wanting, fault() says so.
  DeviceLane(const Options& options, DeviceRuntime& runtime, TableMirror& mirror);
  ~DeviceLane();

  DeviceLane(const DeviceLane&) = delete;
  DeviceLane& operator=(const DeviceLane&) = delete;

  // Why nothing may be pushed. Constant.
  const DeviceFault& fault() const {
    return staging_.fault().empty() ? launcher_.fault() : staging_.fault();
  }

  // The lane whose tickets SetAfter names. Before the first Push.
  void SetOther(const DeviceLane* other) { other_ = other; }

  // Appends an operation that reads the tables as of `capture` of the mirror; returns its
  // ticket. Stops the process if the ring is full.
  Ticket Push(const Operation& operation, uint64_t capture);

  // Operations pushed from now on start after `ticket` of the other lane.
  void SetAfter(Ticket ticket) { after_ = ticket > after_ ? ticket : after_; }

  Ticket submitted() const { return submitted_.load(std::memory_order_acquire); }
  Ticket passed() const { return passed_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    Operation operation;
    Ticket after = 0;
    uint64_t capture = 0;
  };
  // Written before the part is launched, then only read.
  struct Part {
    std::vector<Delivery> deliveries;
    Ticket operation = 0;  // that passes with it; 0: it has other parts
  };

  void RunLauncher();
  void RunDeliverer();
  void PassPart(Ticket part);
  void LaunchNext(Ticket ticket);
  // Launches the part that ends here; returns the next one's number.
  Ticket EndPart(std::vector<Delivery> deliveries, Ticket operation);
  void AwaitOther(Ticket ticket) const;
  void AwaitDelivered(const void* memory, int64_t bytes);
  Entry& EntryOf(Ticket ticket) { return ring_[ticket % kCapacity]; }
  Part& PartOf(Ticket part) { return parts_[part % kCapacity]; }
  Ticket delivered() const { return delivered_.load(std::memory_order_acquire); }

  static constexpr size_t kCapacity = static_cast<size_t>(Backend::kLaneCapacity);

  const Options options_;
  DeviceRuntime& runtime_;
  TableMirror& mirror_;
  Staging staging_;
  Launcher launcher_;
  const DeviceLane* other_ = nullptr;
  Ticket after_ = 0;  // the pushing thread's

  std::atomic<bool> stopping_{false};
  std::atomic<Ticket> submitted_{0};
  std::atomic<Ticket> launched_{0};   // parts
  std::atomic<Ticket> delivered_{0};  // parts
  std::atomic<Ticket> passed_{0};
  CompletionSignal pushed_signal_;
  CompletionSignal launched_signal_;
  std::array<Entry, kCapacity> ring_;
  std::array<Part, kCapacity> parts_;

  std::thread launching_thread_;   // last: they use all of the above
  std::thread delivering_thread_;
};

}  // namespace sluice::device
