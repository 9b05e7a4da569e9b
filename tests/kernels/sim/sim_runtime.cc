// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/sim/sim_runtime.h"

#include <cstdlib>
#include <cstring>
#include <variant>

namespace sluice::sim {

SimRuntime::SimRuntime(uint64_t seed, int32_t shared_bytes)
    : seed_(seed),
      shared_bytes_(shared_bytes),
      grids_{std::make_unique<SimGrid>(seed, shared_bytes),
             std::make_unique<SimGrid>(~seed, shared_bytes),
             std::make_unique<SimGrid>(seed / 2, shared_bytes)} {}

std::byte* SimRuntime::AllocateHost(int64_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, static_cast<size_t>(bytes)) != 0) return nullptr;
  std::memset(memory, 0xff, static_cast<size_t>(bytes));
  return static_cast<std::byte*>(memory);
}

void SimRuntime::FreeHost(std::byte* memory) { std::free(memory); }

void SimRuntime::Clear(std::byte* memory, int64_t bytes) {
  std::memset(memory, 0, static_cast<size_t>(bytes));
}

void SimRuntime::Upload(Lane /*lane*/, std::byte* to, const std::byte* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<size_t>(bytes));
}

void SimRuntime::Launch(Lane lane, const device::DeviceKernel& kernel,
                        const device::LaunchShape& shape) {
  SimGrid& grid = *grids_[static_cast<size_t>(lane)];
  std::visit([&](const auto& alternative) { RunOnSim(alternative, shape, grid); }, kernel);
}

std::string SimRuntime::description() const {
  return "emulated blocks, seed " + std::to_string(seed_);
}

}  // namespace sluice::sim
