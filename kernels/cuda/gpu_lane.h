// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/device/device_fault.h"

namespace sluice::cuda {

// A stream with a ring of events: marks behind what was launched on it.
//
// Ends the process where the device fails. Mark by one thread at a time, Await by another.
class GpuLane {
 public:
  // The background's stream has the lowest priority that there is, any other the highest.
  // Where the driver refuses, fault() says so.
  explicit GpuLane(Lane lane);
  ~GpuLane();  // returns once everything launched has run

  GpuLane(const GpuLane&) = delete;
  GpuLane& operator=(const GpuLane&) = delete;

  // Why the others must not be called. Constant.
  const device::DeviceFault& fault() const { return fault_; }

  cudaStream_t stream() const { return stream_; }

  // Marks what was launched so far with a number that ascends by 1 from 1. REQUIRES: the
  // mark kMarks before it has been awaited.
  void Mark(Ticket number);

  // Returns once what is before a mark has run; sleeps until then.
  void Await(Ticket number);

  // What is launched from now on starts once what is before a mark of another lane, one of
  // its newest kMarks, has run.
  void Follow(const GpuLane& other, Ticket number);

  // A mark for each operation that a lane can have under way.
  static constexpr size_t kMarks = static_cast<size_t>(Backend::kLaneCapacity);

 private:
  device::DeviceFault Make(Lane lane);
  cudaEvent_t EventOf(Ticket number) const { return events_[number % kMarks]; }

  cudaStream_t stream_ = nullptr;
  std::array<cudaEvent_t, kMarks> events_ = {};
  const device::DeviceFault fault_;  // last: what makes it makes the above
};

}  // namespace sluice::cuda
