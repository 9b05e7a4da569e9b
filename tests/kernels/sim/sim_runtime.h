// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/device/device_runtime.h"
#include "tests/kernels/sim/sim_grid.h"

namespace sluice::sim {

// A device that runs every launch at once, on the launching thread, over emulated blocks.
// Its memory starts as NaN. The same seed gives the same orders of threads and blocks.
class SimRuntime : public device::DeviceRuntime {
 public:
  // `shared_bytes`: what the device gives a block.
  explicit SimRuntime(uint64_t seed, int32_t shared_bytes = kMostSharedBytes);

  std::byte* AllocateHost(int64_t bytes) override;
  void FreeHost(std::byte* memory) override;
  std::byte* AllocateDevice(int64_t bytes) override { return AllocateHost(bytes); }
  void FreeDevice(std::byte* memory) override { FreeHost(memory); }
  int64_t FreeDeviceBytes() const override { return -1; }
  void Clear(std::byte* memory, int64_t bytes) override;
  void Upload(Lane lane, std::byte* to, const std::byte* from, int64_t bytes) override;
  void Launch(Lane lane, const device::DeviceKernel& kernel,
              const device::LaunchShape& shape) override;
  void Mark(Lane, Ticket) override {}
  void AwaitMark(Lane, Ticket) override {}
  void Follow(Lane, Lane, Ticket) override {}
  int32_t shared_bytes_of_block() const override { return shared_bytes_; }
  std::string description() const override;

 private:
  const uint64_t seed_;
  const int32_t shared_bytes_;
  std::array<std::unique_ptr<SimGrid>, device::kRuntimeLanes> grids_;
};

}  // namespace sluice::sim
