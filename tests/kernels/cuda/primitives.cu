// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "tests/kernels/cuda/primitives_kernel.h"

namespace sluice::cuda {

template cudaError_t LaunchOnDevice(const cuda_testing::PrimitivesKernel&,
                                    const device::LaunchShape&, int32_t, cudaStream_t);

}  // namespace sluice::cuda
