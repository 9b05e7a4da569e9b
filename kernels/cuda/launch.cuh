// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// LaunchOnDevice, for the files that instantiate it.

#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>

#include "kernels/cuda/cuda_block.cuh"
#include "kernels/cuda/launch.h"

namespace sluice::cuda {

// What a kernel's blocks have at most, and how many of them are enough at a time: without
// saying so, a kernel spills registers that it could have, to let more blocks run beside
// each other.
template <class Kernel, class = void>
struct Bounds {
  static constexpr int32_t kThreads = kMostThreads;
  static constexpr int32_t kBlocks = 2;
};
template <class Kernel>
struct Bounds<Kernel, std::void_t<decltype(Kernel::kThreads)>> {
  static constexpr int32_t kThreads = Kernel::kThreads;
  static constexpr int32_t kBlocks = kThreads < 128 ? 4 : 384 / kThreads;
};

// Kernels whose shared memory has room for fewer say how many.
template <class Kernel, class = void>
struct EnoughBlocks {
  static constexpr int32_t kBlocks = Bounds<Kernel>::kBlocks;
};
template <class Kernel>
struct EnoughBlocks<Kernel, std::void_t<decltype(Kernel::kBlocks)>> {
  static constexpr int32_t kBlocks = Kernel::kBlocks;
};

// Of sm_120 on the compiler needs a few registers more, and shared memory is scarcer than they
// are.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
inline constexpr int32_t kBlocksLess = 1;
#else
inline constexpr int32_t kBlocksLess = 0;
#endif
template <class Kernel>
inline constexpr int32_t kResidentBlocks =
    EnoughBlocks<Kernel>::kBlocks > 1 ? EnoughBlocks<Kernel>::kBlocks - kBlocksLess : 1;

template <class Kernel>
__global__ void __launch_bounds__(Bounds<Kernel>::kThreads, kResidentBlocks<Kernel>)
    RunKernel(const __grid_constant__ Kernel kernel) {
  CudaBlock block;
  kernel(block);
}

// Lets blocks of the kernel have all the shared memory that the device gives a block: a
// lower limit would have to change under launches of the other lane.
template <class Kernel>
cudaError_t AllowAllSharedMemory() {
  int device = 0;
  int most_bytes = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error != cudaSuccess) return error;
  error = cudaDeviceGetAttribute(&most_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(RunKernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              most_bytes);
}

template <class Kernel>
cudaError_t LaunchOnDevice(const Kernel& kernel, const device::LaunchShape& shape,
                           int32_t most_blocks, cudaStream_t stream) {
  static_assert(std::is_trivially_copyable_v<Kernel>, "kernels are passed by value");
  static_assert(sizeof(Kernel) <= 4096, "what a launch can pass");
  constexpr int32_t kSharedBytesOfAnyBlock = 48 << 10;
  if (shape.shared_bytes > kSharedBytesOfAnyBlock) {
    const cudaError_t error = AllowAllSharedMemory<Kernel>();
    if (error != cudaSuccess) return error;
  }
  const auto blocks = static_cast<unsigned>(std::min<int64_t>(shape.items, most_blocks));
  void* arguments[] = {const_cast<Kernel*>(&kernel)};
  return cudaLaunchKernel(RunKernel<Kernel>, dim3(blocks),
                          dim3(static_cast<unsigned>(shape.threads)), arguments,
                          static_cast<size_t>(shape.shared_bytes), stream);
}

}  // namespace sluice::cuda
