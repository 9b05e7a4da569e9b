// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_backend.h"

#include <memory>
#include <utility>

#include "kernels/cuda/gpu_runtime.h"
#include "kernels/device/device_backend.h"
#include "kernels/device/device_fault.h"

namespace sluice::cuda {
namespace {

MadeBackend Refused(const device::DeviceFault& fault) { return {fault.text, fault.is_memory}; }

}  // namespace

MadeBackend MakeCudaBackend(const BackendOptions& options) {
  auto runtime = std::make_unique<GpuRuntime>(GpuRuntime::Options{});
  if (!runtime->fault().empty()) return Refused(runtime->fault());
  for (const HostRange& range : options.host_ranges) {
    const device::DeviceFault fault = runtime->RegisterHost(range.memory, range.bytes);
    if (!fault.empty()) return Refused(fault);
  }
  DeviceBackend::Options device;
  device.pool = options.pool;
  device.pool_bytes = options.pool_bytes;
  device.table_bytes = options.table_bytes;
  device.format_count = options.format_count;
  device.arithmetic = options.arithmetic;
  device.signal = options.signal;
  auto backend = std::make_unique<DeviceBackend>(device, "cuda", std::move(runtime));
  if (!backend->fault().empty()) return Refused(backend->fault());
  return backend;
}

}  // namespace sluice::cuda
