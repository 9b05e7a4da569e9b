// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/completion_signal.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_lane.h"
#include "kernels/device/device_runtime.h"
#include "kernels/device/table_mirror.h"

namespace sluice {

// Runs operations on a device, through a runtime: a GPU's, or one that emulates blocks of
// threads for tests. Pages are in the layout "swizzled".
//
// Results depend neither on the device's size nor on what else runs. Thread-safety: as
// Backend.
class DeviceBackend : public Backend {
 public:
  struct Options {
    PoolView pool;           // the pool as kernels reach it, tables and formats as the host does
    int64_t pool_bytes = 0;  // from pool.pool on, the jobs' workspace included
    // Mirrored in memory of the device; 0: kernels reach them as the host does.
    int64_t table_bytes = 0;   // a multiple of 4
    int64_t format_count = 0;
    int64_t table_staging_bytes = int64_t{1} << 20;  // host memory
    int64_t staging_bytes = int64_t{64} << 20;  // of each lane, of the host and of the device
    // Of each lane, memory of the device. It has room for a row of 16 Mi scores on their way
    // to be pooled.
    int64_t scratch_bytes = int64_t{96} << 20;
    Arithmetic arithmetic = Arithmetic::kFp32;
    CompletionSignal* signal = nullptr;  // raised after every operation; outlives the backend
  };

  // Where memory is wanting, fault() says so.
  DeviceBackend(const Options& options, const char* name,
                std::unique_ptr<device::DeviceRuntime> runtime);
  ~DeviceBackend() override;  // returns once everything submitted has passed

  // Why nothing may be submitted. Constant.
  const device::DeviceFault& fault() const;

  void TablesChanged(const void* begin, int64_t bytes) override {
    mirror_.Changed(begin, bytes);
  }
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
  Arithmetic arithmetic() const override { return arithmetic_; }

 private:
  device::DeviceLane& LaneOf(Lane lane) {
    return lane == Lane::kForeground ? foreground_ : background_;
  }
  const device::DeviceLane& LaneOf(Lane lane) const {
    return lane == Lane::kForeground ? foreground_ : background_;
  }

  const std::string name_;
  const std::unique_ptr<device::DeviceRuntime> runtime_;
  const Arithmetic arithmetic_;
  const std::string description_;
  CompletionSignal passed_;
  device::TableMirror mirror_;
  device::DeviceLane foreground_;  // last: their threads use all of the above
  device::DeviceLane background_;
};

}  // namespace sluice
