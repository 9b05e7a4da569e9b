// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/gpu_device.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/launch.h"
#include "tests/bench/gpu/gpu_streams.h"
#include "tests/bench/measure.h"

namespace sluice::bench {

using cuda::EndOnError;

GpuDevice::GpuDevice() : gpu_(cuda::FindGpu()), memory_(cuda::GpuRuntime::Options{}) {
  EndOnError(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  EndOnError(cudaEventCreate(&start_), "cudaEventCreate");
  EndOnError(cudaEventCreate(&end_), "cudaEventCreate");
  int l2_bytes = 0;
  EndOnError(cudaDeviceGetAttribute(&l2_bytes, cudaDevAttrL2CacheSize, 0),
             "cudaDeviceGetAttribute");
  evicting_bytes_ = RoundUp(4 * int64_t{std::max(l2_bytes, 1 << 20)}, 256);
  evicting_ = memory_.AllocateDevice(evicting_bytes_ + 256);
  if (evicting_ == nullptr) EndOnError(cudaErrorMemoryAllocation, "the buffer that empties L2");
  sink_ = reinterpret_cast<uint32_t*>(evicting_ + evicting_bytes_);
}

GpuDevice::~GpuDevice() {
  Synchronize();
  memory_.FreeDevice(evicting_);
  EndOnError(cudaEventDestroy(end_), "cudaEventDestroy");
  EndOnError(cudaEventDestroy(start_), "cudaEventDestroy");
  EndOnError(cudaStreamDestroy(stream_), "cudaStreamDestroy");
}

void GpuDevice::FillBf16(std::byte* memory, int64_t bytes) {
  LaunchFillBf16(memory, bytes, stream_);
  Synchronize();
}

void GpuDevice::FillFloats(float* memory, int64_t count) {
  LaunchFillFloats(memory, count, stream_);
  Synchronize();
}

void GpuDevice::Upload(void* memory, const void* host, int64_t bytes) {
  EndOnError(cudaMemcpyAsync(memory, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                             stream_),
             "cudaMemcpyAsync");
  Synchronize();
}

void GpuDevice::Clear(std::byte* memory, int64_t bytes) {
  EndOnError(cudaMemsetAsync(memory, 0, static_cast<size_t>(bytes), stream_), "cudaMemsetAsync");
  Synchronize();
}

void GpuDevice::Synchronize() {
  EndOnError(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

// May be captured: nothing waits for it.
void GpuDevice::Upload(Lane, std::byte* to, const std::byte* from, int64_t bytes) {
  EndOnError(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_),
             "cudaMemcpyAsync");
}

void GpuDevice::Launch(Lane, const device::DeviceKernel& kernel,
                       const device::LaunchShape& shape) {
  const int32_t most_blocks =
      gpu_.multiprocessors * std::max(1, gpu_.threads_per_multiprocessor / shape.threads);
  std::visit(
      [&](const auto& alternative) {
        EndOnError(cuda::LaunchOnDevice(alternative, shape, most_blocks, stream_),
                   "a launch of an operation");
      },
      kernel);
}

// Written, so that nothing else is left there; then read, so that nothing of it is still to
// be written back while something is timed.
void GpuDevice::EmptyL2() {
  EndOnError(cudaMemsetAsync(evicting_, 1, static_cast<size_t>(evicting_bytes_), stream_),
             "cudaMemsetAsync");
  LaunchRead(evicting_, evicting_bytes_, 4 * gpu_.multiprocessors, sink_, stream_);
}

double GpuDevice::SecondsOf(const Timed& run) {
  EmptyL2();
  EndOnError(cudaEventRecord(start_, stream_), "cudaEventRecord");
  run(stream_);
  EndOnError(cudaEventRecord(end_, stream_), "cudaEventRecord");
  EndOnError(cudaEventSynchronize(end_), "cudaEventSynchronize");
  float milliseconds = 0.0f;
  EndOnError(cudaEventElapsedTime(&milliseconds, start_, end_), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e-3;
}

std::vector<double> GpuDevice::MedianSeconds(const std::vector<Timed>& runs, int32_t repeats) {
  for (const Timed& run : runs) run(stream_);
  Synchronize();
  std::vector<std::vector<double>> seconds(runs.size());
  for (int32_t repeat = 0; repeat < repeats; ++repeat) {
    for (size_t i = 0; i < runs.size(); ++i) {
      const size_t turn = repeat % 2 == 0 ? i : runs.size() - 1 - i;
      seconds[turn].push_back(SecondsOf(runs[turn]));
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& each : seconds) medians.push_back(Median(std::move(each)));
  return medians;
}

// Relaxed: a launch may look at the device's attributes.
Graph::Graph(GpuDevice& device, const Timed& launches) {
  cudaGraph_t graph = nullptr;
  EndOnError(cudaStreamBeginCapture(device.stream(), cudaStreamCaptureModeRelaxed),
             "cudaStreamBeginCapture");
  launches(device.stream());
  EndOnError(cudaStreamEndCapture(device.stream(), &graph), "cudaStreamEndCapture");
  EndOnError(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
  EndOnError(cudaGraphDestroy(graph), "cudaGraphDestroy");
  EndOnError(cudaGraphUpload(graph_, device.stream()), "cudaGraphUpload");
  device.Synchronize();
}

Graph::~Graph() { EndOnError(cudaGraphExecDestroy(graph_), "cudaGraphExecDestroy"); }

void Graph::Launch(cudaStream_t stream) const {
  EndOnError(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch");
}

}  // namespace sluice::bench
