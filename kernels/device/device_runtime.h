// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "kernels/device/block.h"
#include "kernels/device/device_kernel.h"

namespace sluice::device {

// The lane of what brings changes of tables to the device (table_mirror.h), beside the
// backend's.
inline constexpr Lane kTablesLane = static_cast<Lane>(2);
inline constexpr size_t kRuntimeLanes = 3;

// What a device does for the backend: memory, launches on the lanes, and marks between
// them. A lane's launches run in order, the lanes' beside each other.
//
// A device that fails ends the process (EndLostDevice). Thread-safety: Allocate and Free
// from any thread; the rest from any thread, but for a lane by one at a time; AwaitMark from
// another one beside it.
class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  // Host memory that kernels reach at the same address, 256-byte aligned; null: there
  // is no more. Null may be freed.
  virtual std::byte* AllocateHost(int64_t bytes) = 0;
  virtual void FreeHost(std::byte* memory) = 0;

  // Memory of the device, 256-byte aligned, not to be touched by the host; null: there is
  // no more. Null may be freed.
  virtual std::byte* AllocateDevice(int64_t bytes) = 0;
  virtual void FreeDevice(std::byte* memory) = 0;

  // Bytes of the device's memory that nobody has; -1: that cannot be told.
  virtual int64_t FreeDeviceBytes() const = 0;

  // Fills memory of the device with zero bytes; returns once that is done.
  virtual void Clear(std::byte* memory, int64_t bytes) = 0;

  // Copies host memory of AllocateHost to the device's: launches on the lane from now on see
  // it. The host memory stays as it is until a mark behind it has passed.
  virtual void Upload(Lane lane, std::byte* to, const std::byte* from, int64_t bytes) = 0;

  virtual void Launch(Lane lane, const DeviceKernel& kernel, const LaunchShape& shape) = 0;

  // Marks what was launched on the lane so far with a number that ascends by 1 from 1.
  virtual void Mark(Lane lane, Ticket number) = 0;

  // Returns once the launches before a mark that was set have run, and what they wrote to
  // host memory is there.
  virtual void AwaitMark(Lane lane, Ticket number) = 0;

  // Launches on `lane` from now on start once those before a mark that was set on `other`
  // have run, and see what these wrote. The caller does not wait.
  virtual void Follow(Lane lane, Lane other, Ticket number) = 0;
  // The most shared memory that a launch may ask for, in bytes a block. Constant.
  virtual int32_t shared_bytes_of_block() const = 0;

  // For people: "NVIDIA H200, sm_90, 132 multiprocessors".
  virtual std::string description() const = 0;
};

}  // namespace sluice::device
