// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/faulty_runtime.h"

#include "kernels/device/device_fault.h"

namespace sluice::sim {

std::byte* FaultyRuntime::AllocateHost(int64_t bytes) {
  if (++faults_.allocations == faults_.allocation) return nullptr;
  ++faults_.held;
  return SimRuntime::AllocateHost(bytes);
}

void FaultyRuntime::FreeHost(std::byte* memory) {
  if (memory != nullptr) --faults_.held;
  SimRuntime::FreeHost(memory);
}

void FaultyRuntime::Launch(Lane lane, const device::DeviceKernel& kernel,
                           const device::LaunchShape& shape) {
  if (++faults_.launches == faults_.launch) device::EndLostDevice("a launch", "it is gone");
  SimRuntime::Launch(lane, kernel, shape);
}

void FaultyRuntime::AwaitMark(Lane lane, Ticket number) {
  if (++faults_.waits == faults_.wait) device::EndLostDevice("a wait", "it is gone");
  SimRuntime::AwaitMark(lane, number);
}

}  // namespace sluice::sim
