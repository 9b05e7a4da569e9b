// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

namespace sluice::cuda {

// Ends the process where `error`, which `call` gave, is one: after it nothing in the
// device's memory can be trusted. The message names both. Thread-safe.
void EndOnError(cudaError_t error, const char* call);

}  // namespace sluice::cuda
