// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_runtime.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <typeinfo>
#include <utility>
#include <variant>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/launch.h"

namespace sluice::cuda {
namespace {

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
    : gpu_(FindGpu()),
      background_multiprocessors_(std::max(
          1, static_cast<int32_t>(options.background_share * gpu_.multiprocessors))) {
  if (!gpu_.fault.empty()) {
    fault_.text = "no GPU to run on: " + gpu_.fault;
    return;
  }
  for (const Lane lane : {Lane::kForeground, Lane::kBackground, device::kTablesLane}) {
    auto made = std::make_unique<GpuLane>(lane);
    if (fault_.empty()) fault_ = made->fault();
    lanes_[static_cast<size_t>(lane)] = std::move(made);
  }
}

GpuRuntime::~GpuRuntime() = default;

std::byte* GpuRuntime::AllocateHost(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, static_cast<size_t>(bytes),
                                          cudaHostAllocMapped | cudaHostAllocPortable);
  return Allocated(error, memory, "cudaHostAlloc");
}

void GpuRuntime::FreeHost(std::byte* memory) {
  if (memory != nullptr) EndOnError(cudaFreeHost(memory), "cudaFreeHost");
}

std::byte* GpuRuntime::AllocateDevice(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  return Allocated(error, memory, "cudaMalloc");
}

void GpuRuntime::FreeDevice(std::byte* memory) { EndOnError(cudaFree(memory), "cudaFree"); }

int64_t GpuRuntime::FreeDeviceBytes() const {
  size_t free = 0;
  size_t total = 0;
  if (cudaMemGetInfo(&free, &total) == cudaSuccess) return static_cast<int64_t>(free);
  cudaGetLastError();
  return -1;
}

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

void GpuRuntime::Upload(Lane lane, std::byte* to, const std::byte* from, int64_t bytes) {
  EndOnError(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                             LaneOf(lane).stream()),
             "cudaMemcpyAsync");
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

device::DeviceFault GpuRuntime::RegisterHost(const void* memory, int64_t bytes) {
  registrations_.push_back(std::make_unique<HostRegistration>(memory, bytes));
  return registrations_.back()->fault();
}

}  // namespace sluice::cuda
