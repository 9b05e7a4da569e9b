// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_error.h"
#include "tests/bench/gpu/bench_device.h"
#include "tests/bench/gpu/gpu_streams.h"

namespace sluice::bench {
namespace {

constexpr int kThreads = 512;
constexpr int kFillBlocks = 4096;
constexpr int kAtOnce = 8;  // loads of a thread that are under way together

__global__ void __launch_bounds__(kThreads) Read(const uint4* data, int64_t count, uint32_t* sink) {
  constexpr int64_t kOfBlock = int64_t{kThreads} * kAtOnce;
  const int64_t whole = count / kOfBlock * kOfBlock;
  uint32_t sum = 0;
  for (int64_t first = blockIdx.x * kOfBlock; first < whole; first += gridDim.x * kOfBlock) {
    uint4 loaded[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) loaded[i] = data[first + i * kThreads + threadIdx.x];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      sum ^= loaded[i].x ^ loaded[i].y ^ loaded[i].z ^ loaded[i].w;
    }
  }
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = whole + int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    sum ^= data[i].x ^ data[i].y ^ data[i].z ^ data[i].w;
  }
  if (sum == 0x9e3779b9u) *sink = sum;
}

__global__ void __launch_bounds__(kThreads) Copy(uint4* to, const uint4* from, int64_t count) {
  constexpr int64_t kOfBlock = int64_t{kThreads} * kAtOnce;
  const int64_t whole = count / kOfBlock * kOfBlock;
  for (int64_t first = blockIdx.x * kOfBlock; first < whole; first += gridDim.x * kOfBlock) {
    uint4 loaded[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) loaded[i] = from[first + i * kThreads + threadIdx.x];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) to[first + i * kThreads + threadIdx.x] = loaded[i];
  }
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = whole + int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    to[i] = from[i];
  }
}

template <bool kFloats>
__global__ void __launch_bounds__(kThreads) Fill(uint32_t* words, int64_t count) {
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    words[i] = kFloats ? FloatWord(static_cast<uint64_t>(i)) : Bf16Word(static_cast<uint64_t>(i));
  }
}

__global__ void Empty() {}

}  // namespace

void LaunchRead(const std::byte* memory, int64_t bytes, int32_t blocks, uint32_t* sink,
                cudaStream_t stream) {
  Read<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
      reinterpret_cast<const uint4*>(memory), bytes / 16, sink);
  cuda::EndOnError(cudaGetLastError(), "the reading kernel");
}

void LaunchCopy(std::byte* to, const std::byte* from, int64_t bytes, int32_t blocks,
                cudaStream_t stream) {
  Copy<<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(
      reinterpret_cast<uint4*>(to), reinterpret_cast<const uint4*>(from), bytes / 16);
  cuda::EndOnError(cudaGetLastError(), "the copying kernel");
}

void LaunchFillBf16(std::byte* memory, int64_t bytes, cudaStream_t stream) {
  Fill<false><<<kFillBlocks, kThreads, 0, stream>>>(reinterpret_cast<uint32_t*>(memory), bytes / 4);
  cuda::EndOnError(cudaGetLastError(), "the filling kernel");
}

void LaunchFillFloats(float* memory, int64_t count, cudaStream_t stream) {
  Fill<true><<<kFillBlocks, kThreads, 0, stream>>>(reinterpret_cast<uint32_t*>(memory), count);
  cuda::EndOnError(cudaGetLastError(), "the filling kernel");
}

void LaunchEmpty(cudaStream_t stream) {
  Empty<<<1, 32, 0, stream>>>();
  cuda::EndOnError(cudaGetLastError(), "the empty kernel");
}

}  // namespace sluice::bench
