// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/device/device_fault.h"

namespace sluice::cuda {

// While the object lives, kernels reach a range of host memory at its address; whole pages
// stay in place for that. Other objects may name the same memory.
//
// The range must not be freed or mapped anew before: the device would go on using what was
// there. Thread-safe.
class HostRegistration {
 public:
  // `bytes` > 0. Where the driver refuses, fault() says so.
  HostRegistration(const void* memory, int64_t bytes);
  ~HostRegistration();

  HostRegistration(const HostRegistration&) = delete;
  HostRegistration& operator=(const HostRegistration&) = delete;

  // Why kernels do not reach the memory. Constant.
  const device::DeviceFault& fault() const { return fault_; }

 private:
  const uintptr_t begin_;
  const int64_t bytes_;
  device::DeviceFault fault_;
};

}  // namespace sluice::cuda
