// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"
#include "kernels/make_backend.h"
#include "tests/kernels/sim/faulty_runtime.h"
#include "tests/kernels/sim/sim_runtime.h"

namespace sluice::sim {

// The backend for devices over emulated blocks, for options as of a GPU's. Little memory for
// staging and scratch, so that operations wait for it and are cut; where one thread is asked
// for more of both, so that they are cut in another way.
std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options, uint64_t seed);

// The same over a runtime of the caller's.
std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options,
                                             std::unique_ptr<SimRuntime> runtime);

// The same on a device that has `faults`, which outlive the backend.
MadeBackend MakeFaultyBackend(const BackendOptions& options, RuntimeFaults& faults);

}  // namespace sluice::sim
