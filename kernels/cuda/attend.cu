// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/attend_kernels.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/mass_kernels.h"
#include "kernels/device/turns.h"

namespace sluice::cuda {

using device::AttendKernel;
using device::LaunchShape;
using device::MassKernel;

template cudaError_t LaunchOnDevice(const device::AttendCountKernel&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const device::AttendCutKernel&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const device::KeyTurnsKernel&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const AttendKernel<Dtype::kF32>&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const AttendKernel<Dtype::kBf16>&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const AttendKernel<Dtype::kF16>&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const MassKernel<Dtype::kF32>&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const MassKernel<Dtype::kBf16>&, const LaunchShape&, int32_t,
                                    cudaStream_t);
template cudaError_t LaunchOnDevice(const MassKernel<Dtype::kF16>&, const LaunchShape&, int32_t,
                                    cudaStream_t);

}  // namespace sluice::cuda
