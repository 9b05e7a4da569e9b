// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/device/block.h"

namespace sluice::cuda {

// Most threads of a block of a kernel that does not say otherwise. It leaves every thread
// all the registers that it can name.
inline constexpr int32_t kMostThreads = 256;

// Launches a kernel of kernels/device over a GPU's blocks, at most `most_blocks` of them.
// `shape.items` > 0, `shape.threads` <= Kernel::kThreads (where a kernel does not say it:
// kMostThreads), or it is an invalid configuration.
// Instantiated in the family's .cu file for each of its kernels. Thread-safe.
template <class Kernel>
cudaError_t LaunchOnDevice(const Kernel& kernel, const device::LaunchShape& shape,
                           int32_t most_blocks, cudaStream_t stream);

}  // namespace sluice::cuda
