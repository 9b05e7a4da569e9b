// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_runtime.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <typeinfo>
#include <variant>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/launch.h"

namespace sluice::cuda {
namespace {

GpuFound FindGpuOrEnd() {
  GpuFound gpu = FindGpu();
  if (gpu.fault.empty()) return gpu;
  std::fprintf(stderr, "no GPU to run on: %s\n", gpu.fault.c_str());
  std::abort();
}

// The memory, or null where there is no more.
std::byte* Allocated(cudaError_t error, void* memory, const char* call) {
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  EndOnError(error, call);
  return static_cast<std::byte*>(memory);
}

}  // namespace

GpuRuntime::GpuRuntime(const Options& options)
    : gpu_(FindGpuOrEnd()),
      background_multiprocessors_(std::max(
          1, static_cast<int32_t>(options.background_share * gpu_.multiprocessors))),
      lanes_{std::make_unique<GpuLane>(Lane::kForeground),
             std::make_unique<GpuLane>(Lane::kBackground),
             std::make_unique<GpuLane>(device::kTablesLane)} {}

GpuRuntime::~GpuRuntime() = default;

std::byte* GpuRuntime::AllocateHost(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, static_cast<size_t>(bytes),
                                          cudaHostAllocMapped | cudaHostAllocPortable);
  return Allocated(error, memory, "cudaHostAlloc");
}

void GpuRuntime::FreeHost(std::byte* memory) { EndOnError(cudaFreeHost(memory), "cudaFreeHost"); }

std::byte* GpuRuntime::AllocateDevice(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  return Allocated(error, memory, "cudaMalloc");
}

void GpuRuntime::FreeDevice(std::byte* memory) { EndOnError(cudaFree(memory), "cudaFree"); }

// On a stream of the calling thread's own: the lanes go on beside it.
void GpuRuntime::Clear(std::byte* memory, int64_t bytes) {
  EndOnError(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), cudaStreamPerThread),
             "cudaMemsetAsync");
  EndOnError(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize");
}

// As many blocks as the multiprocessors can hold at once, if nothing but threads were scarce.
int32_t GpuRuntime::MostBlocks(Lane lane, int32_t threads) const {
  const int32_t multiprocessors =
      lane == Lane::kBackground ? background_multiprocessors_ : gpu_.multiprocessors;
  return multiprocessors * std::max(1, gpu_.threads_per_multiprocessor / threads);
}

void GpuRuntime::Launch(Lane lane, const device::DeviceKernel& kernel,
                        const device::LaunchShape& shape) {
  const int32_t most_blocks = MostBlocks(lane, shape.threads);
  const cudaStream_t stream = LaneOf(lane).stream();
  std::visit(
      [&](const auto& alternative) {
        EndOnError(LaunchOnDevice(alternative, shape, most_blocks, stream),
                   typeid(alternative).name());  // names the kernel
      },
      kernel);
}

void GpuRuntime::Mark(Lane lane, Ticket number) { LaneOf(lane).Mark(number); }

void GpuRuntime::AwaitMark(Lane lane, Ticket number) { LaneOf(lane).Await(number); }

void GpuRuntime::Follow(Lane lane, Lane other, Ticket number) {
  LaneOf(lane).Follow(LaneOf(other), number);
}

std::string GpuRuntime::description() const {
  return gpu_.name + ", sm_" + std::to_string(gpu_.major) + std::to_string(gpu_.minor) + ", " +
         std::to_string(gpu_.multiprocessors) + " multiprocessors";
}

void GpuRuntime::RegisterHost(const void* memory, int64_t bytes) {
  registrations_.push_back(std::make_unique<HostRegistration>(memory, bytes));
}

}  // namespace sluice::cuda
