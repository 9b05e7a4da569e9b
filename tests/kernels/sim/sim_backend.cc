// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_backend.h"

#include <utility>

#include "kernels/device/device_backend.h"

namespace sluice::sim {
namespace {

std::unique_ptr<DeviceBackend> Make(const BackendOptions& options,
                                    std::unique_ptr<SimRuntime> runtime) {
  DeviceBackend::Options device;
  device.pool = options.pool;
  device.pool_bytes = options.pool_bytes;
  device.table_bytes = options.table_bytes;
  device.format_count = options.format_count;
  device.table_staging_bytes = int64_t{4} << 10;
  // With many threads so little that operations and units' work are cut otherwise than with few.
  const int64_t threads = options.threads > 0 ? options.threads : 2;
  device.staging_bytes = int64_t{threads > 2 ? 48 : 256} << 10;
  device.scratch_bytes = (int64_t{16} << 20) / (threads * threads * threads);
  device.arithmetic = options.arithmetic;
  device.signal = options.signal;
  return std::make_unique<DeviceBackend>(device, "emulated", std::move(runtime));
}

}  // namespace

std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options, uint64_t seed) {
  return Make(options, std::make_unique<SimRuntime>(seed));
}

std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options,
                                             std::unique_ptr<SimRuntime> runtime) {
  return Make(options, std::move(runtime));
}

MadeBackend MakeFaultyBackend(const BackendOptions& options, RuntimeFaults& faults) {
  auto backend = Make(options, std::make_unique<FaultyRuntime>(faults));
  if (backend->fault().empty()) return backend;
  return {backend->fault().text, backend->fault().is_memory};
}

}  // namespace sluice::sim
