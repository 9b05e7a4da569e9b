// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/find_gpu.h"
#include "kernels/cuda/gpu_lane.h"
#include "kernels/cuda/host_registration.h"
#include "kernels/device/device_fault.h"
#include "kernels/device/device_runtime.h"

namespace sluice::cuda {

// The GPU of FindGpu, through the CUDA runtime: a stream a lane.
//
// A call that fails ends the process as the failure of the device; a kernel's failure shows
// in the next call that waits for it. Thread-safety: as DeviceRuntime.
class GpuRuntime : public device::DeviceRuntime {
 public:
  struct Options {
    // Of the multiprocessors, what launches of the background lane may fill, in (0, 1].
    double background_share = 0.25;
  };

  // Where FindGpu finds none or the driver refuses, fault() says so.
  explicit GpuRuntime(const Options& options);
  ~GpuRuntime() override;  // returns once everything launched has run

  // Why the others must not be called. Constant.
  const device::DeviceFault& fault() const { return fault_; }

  std::byte* AllocateHost(int64_t bytes) override;
  void FreeHost(std::byte* memory) override;
  std::byte* AllocateDevice(int64_t bytes) override;
  void FreeDevice(std::byte* memory) override;
  int64_t FreeDeviceBytes() const override;
  void Clear(std::byte* memory, int64_t bytes) override;
  void Upload(Lane lane, std::byte* to, const std::byte* from, int64_t bytes) override;
  void Launch(Lane lane, const device::DeviceKernel& kernel,
              const device::LaunchShape& shape) override;
  void Mark(Lane lane, Ticket number) override;
  void AwaitMark(Lane lane, Ticket number) override;
  void Follow(Lane lane, Lane other, Ticket number) override;
  int32_t shared_bytes_of_block() const override { return gpu_.shared_bytes_of_block; }
  std::string description() const override;

  // Lets kernels reach host memory at its address from now on, while the runtime lives.
  // Before the first launch. The memory must not be freed before the runtime. Why it cannot
  // be is the answer; empty: kernels reach it.
  device::DeviceFault RegisterHost(const void* memory, int64_t bytes);

 private:
  GpuLane& LaneOf(Lane lane) { return *lanes_[static_cast<size_t>(lane)]; }
  int32_t MostBlocks(Lane lane, int32_t threads) const;

  const GpuFound gpu_;
  const int32_t background_multiprocessors_;
  std::vector<std::unique_ptr<HostRegistration>> registrations_;
  device::DeviceFault fault_;
  // Last: what they run uses the above.
  std::array<std::unique_ptr<GpuLane>, device::kRuntimeLanes> lanes_;
};

}  // namespace sluice::cuda
