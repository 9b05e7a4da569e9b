// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/window_kernels.h"

namespace sluice::cuda {

template cudaError_t LaunchOnDevice(const device::PackWindowKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SumWindowKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::FoldWindowKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::ScoreWindowKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::PoolWindowKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);

}  // namespace sluice::cuda
