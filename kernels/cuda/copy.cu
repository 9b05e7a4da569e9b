// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/copy_kernels.h"
#include "kernels/device/table_kernels.h"

namespace sluice::cuda {

template cudaError_t LaunchOnDevice(const device::CopyPagesKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::CopyScoresKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::UpdateTablesKernel&, const device::LaunchShape&,
                                    int32_t, cudaStream_t);

}  // namespace sluice::cuda
