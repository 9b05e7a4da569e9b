// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.cuh"
#include "kernels/device/tensor_prefill_kernels.h"

namespace sluice::cuda {

using device::LaunchShape;
using device::TensorPrefillKernel;

template cudaError_t LaunchOnDevice(const TensorPrefillKernel<Dtype::kBf16>&, const LaunchShape&,
                                    int32_t, cudaStream_t);
template cudaError_t LaunchOnDevice(const TensorPrefillKernel<Dtype::kF16>&, const LaunchShape&,
                                    int32_t, cudaStream_t);

}  // namespace sluice::cuda
