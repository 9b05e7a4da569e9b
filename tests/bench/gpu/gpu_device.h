// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/find_gpu.h"
#include "kernels/cuda/gpu_runtime.h"
#include "tests/bench/gpu/bench_device.h"

namespace sluice::bench {

// What is to be timed: launches on the stream.
using Timed = std::function<void(cudaStream_t)>;

// The GPU of FindGpu with one stream, on which everything is launched, and a clock for it.
//
// Ends the process where the GPU fails. Not thread-safe.
class GpuDevice : public BenchDevice, private device::DeviceRuntime {
 public:
  // REQUIRES: FindGpu finds one.
  GpuDevice();
  ~GpuDevice() override;
  GpuDevice(const GpuDevice&) = delete;
  GpuDevice& operator=(const GpuDevice&) = delete;

  device::DeviceRuntime& runtime() override { return *this; }
  void FillBf16(std::byte* memory, int64_t bytes) override;
  void FillFloats(float* memory, int64_t count) override;
  void Upload(void* memory, const void* host, int64_t bytes) override;

  const cuda::GpuFound& gpu() const { return gpu_; }
  cudaStream_t stream() const { return stream_; }
  uint32_t* sink() const { return sink_; }

  // The seconds that each takes on the device, medians of `repeats` with nothing of the pool
  // in the L2 cache. They run in turns, every other time from the last to the first. Each has
  // run before, untimed.
  std::vector<double> MedianSeconds(const std::vector<Timed>& runs, int32_t repeats);

  void Synchronize();

 private:
  std::byte* AllocateHost(int64_t bytes) override { return memory_.AllocateHost(bytes); }
  void FreeHost(std::byte* memory) override { memory_.FreeHost(memory); }
  std::byte* AllocateDevice(int64_t bytes) override { return memory_.AllocateDevice(bytes); }
  void FreeDevice(std::byte* memory) override { memory_.FreeDevice(memory); }
  int64_t FreeDeviceBytes() const override { return memory_.FreeDeviceBytes(); }
  void Clear(std::byte* memory, int64_t bytes) override;
  void Upload(Lane, std::byte* to, const std::byte* from, int64_t bytes) override;
  // As GpuRuntime launches on the foreground's lane.
  void Launch(Lane lane, const device::DeviceKernel& kernel,
              const device::LaunchShape& shape) override;
  void Mark(Lane, Ticket) override {}
  void AwaitMark(Lane, Ticket) override { Synchronize(); }
  void Follow(Lane, Lane, Ticket) override {}  // all lanes are one
  int32_t shared_bytes_of_block() const override { return memory_.shared_bytes_of_block(); }
  std::string description() const override { return memory_.description(); }

  void EmptyL2();
  double SecondsOf(const Timed& run);

  const cuda::GpuFound gpu_;
  cuda::GpuRuntime memory_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr;
  cudaEvent_t end_ = nullptr;
  int64_t evicting_bytes_ = 0;
  std::byte* evicting_ = nullptr;  // larger than the L2 cache
  uint32_t* sink_ = nullptr;
};

// What was launched while it was captured, to be launched again as one.
class Graph {
 public:
  Graph(GpuDevice& device, const Timed& launches);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void Launch(cudaStream_t stream) const;

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace sluice::bench
