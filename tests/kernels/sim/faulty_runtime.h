// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "tests/kernels/sim/sim_runtime.h"

namespace sluice::sim {

// What fails, and what is to be seen of it, also after the runtime. Thread-safe.
struct RuntimeFaults {
  // The number of the one that fails, from 1 up; 0: none.
  int64_t allocation = 0;
  int64_t launch = 0;
  int64_t wait = 0;

  std::atomic<int64_t> allocations{0};  // tried
  std::atomic<int64_t> held{0};         // allocations that were not freed
  std::atomic<int64_t> launches{0};
  std::atomic<int64_t> waits{0};
};

// A device that has no more memory at one time, or fails, as a GPU does: an allocation
// gives null, a launch or a wait ends the process.
class FaultyRuntime : public SimRuntime {
 public:
  // `faults` outlives the object.
  explicit FaultyRuntime(RuntimeFaults& faults) : SimRuntime(/*seed=*/1), faults_(faults) {}

  std::byte* AllocateHost(int64_t bytes) override;
  void FreeHost(std::byte* memory) override;
  std::byte* AllocateDevice(int64_t bytes) override { return AllocateHost(bytes); }
  void FreeDevice(std::byte* memory) override { FreeHost(memory); }
  int64_t FreeDeviceBytes() const override { return 12; }
  void Launch(Lane lane, const device::DeviceKernel& kernel,
              const device::LaunchShape& shape) override;
  void AwaitMark(Lane lane, Ticket number) override;

 private:
  RuntimeFaults& faults_;
};

}  // namespace sluice::sim
