// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_backend.h"

#include "kernels/device/device_backend.h"
#include "tests/kernels/sim/sim_runtime.h"

namespace sluice::sim {

std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options, uint64_t seed) {
  DeviceBackend::Options device;
  device.pool = options.pool;
  device.pool_bytes = options.pool_bytes;
  device.staging_bytes = int64_t{options.threads == 1 ? 256 : 48} << 10;
  device.scratch_bytes = int64_t{options.threads == 1 ? 16 : 1} << 20;
  device.signal = options.signal;
  return std::make_unique<DeviceBackend>(device, "emulated", std::make_unique<SimRuntime>(seed));
}

}  // namespace sluice::sim
