// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_backend.h"

#include <utility>

#include "kernels/cuda/gpu_runtime.h"
#include "kernels/device/device_backend.h"

namespace sluice::cuda {

std::unique_ptr<Backend> MakeCudaBackend(const BackendOptions& options) {
  auto runtime = std::make_unique<GpuRuntime>(GpuRuntime::Options{});
  for (const HostRange& range : options.host_ranges) {
    runtime->RegisterHost(range.memory, range.bytes);
  }
  DeviceBackend::Options device;
  device.pool = options.pool;
  device.pool_bytes = options.pool_bytes;
  device.arithmetic = options.arithmetic;
  device.signal = options.signal;
  return std::make_unique<DeviceBackend>(device, "cuda", std::move(runtime));
}

}  // namespace sluice::cuda
