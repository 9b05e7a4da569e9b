// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/select_kernels.h"
#include "kernels/device/select_mark_kernel.h"

namespace sluice::cuda {

using device::LaunchShape;

template cudaError_t LaunchOnDevice(const device::SelectLookKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SelectStartKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SelectCountKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SelectDecideKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SelectCountsKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SelectMarkKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);

}  // namespace sluice::cuda
