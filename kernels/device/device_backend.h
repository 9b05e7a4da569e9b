// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/completion_signal.h"
#include "kernels/device/device_lane.h"
#include "kernels/device/device_runtime.h"

namespace sluice {

// Runs operations on a device, through a runtime: a GPU's, or one that emulates blocks of
// threads for tests. Pages are in the layout "swizzled".
//
// Results depend neither on the device's size nor on what else runs. Thread-safety: as
// Backend.
class DeviceBackend : public Backend {
 public:
  struct Options {
    PoolView pool;           // addresses that kernels reach; tables and formats the host too
    int64_t pool_bytes = 0;  // from pool.pool on, the jobs' workspace included
    int64_t staging_bytes = int64_t{64} << 20;  // of each lane, host memory
    // Of each lane, memory of the device. It has room for a row of 16 Mi scores on their way
    // to be pooled.
    int64_t scratch_bytes = int64_t{96} << 20;
    CompletionSignal* signal = nullptr;  // raised after every operation; outlives the backend
  };

  DeviceBackend(const Options& options, const char* name,
                std::unique_ptr<device::DeviceRuntime> runtime);
  ~DeviceBackend() override;  // returns once everything submitted has passed

  Ticket Submit(Lane lane, const Operation& operation) override;
  void After(Lane lane, Ticket ticket) override;
  Ticket Submitted(Lane lane) const override;
  Ticket Completed(Lane lane) const override;
  void WaitIdle() override;
  void Clear(std::byte* memory, int64_t bytes) override { runtime_->Clear(memory, bytes); }

  std::string FormatFault(const PageFormat& format) const override;

  const char* name() const override { return name_.c_str(); }
  PageLayout page_layout() const override { return PageLayout::kSwizzled; }
  const char* description() const override { return description_.c_str(); }

 private:
  device::DeviceLane& LaneOf(Lane lane) {
    return lane == Lane::kForeground ? foreground_ : background_;
  }
  const device::DeviceLane& LaneOf(Lane lane) const {
    return lane == Lane::kForeground ? foreground_ : background_;
  }

  const std::string name_;
  const std::unique_ptr<device::DeviceRuntime> runtime_;
  const std::string description_;
  CompletionSignal passed_;
  device::DeviceLane foreground_;  // last: their threads use all of the above
  device::DeviceLane background_;
};

}  // namespace sluice
