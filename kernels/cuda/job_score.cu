// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/job_score_kernels.h"

namespace sluice::cuda {

using device::LaunchShape;

template cudaError_t LaunchOnDevice(const device::KeyNormScoreKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::SumScoresKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const device::MoveScoresKernel&, const LaunchShape&,
                                    int32_t, cudaStream_t);

}  // namespace sluice::cuda
