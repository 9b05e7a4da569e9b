// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/device/device_fault.h"

namespace sluice::cuda {

// Ends the process where `error`, which `call` gave, is one (EndLostDevice). Thread-safe.
void EndOnError(cudaError_t error, const char* call);

// The same as a fault, for what is being made: nobody's memory is the worse for it.
// Thread-safe.
device::DeviceFault FaultOf(cudaError_t error, const char* call);

}  // namespace sluice::cuda
