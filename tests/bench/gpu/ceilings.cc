// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/ceilings.h"

#include <algorithm>
#include <vector>

#include "kernels/cuda/gpu_error.h"
#include "tests/bench/gpu/gpu_streams.h"
#include "tests/bench/measure.h"

namespace sluice::bench {
namespace {

constexpr int32_t kRepeats = 20;
constexpr int32_t kBlocksEach[] = {1, 2, 4, 8, 32};  // of a multiprocessor

std::byte* Filled(GpuDevice& device, int64_t bytes) {
  std::byte* const memory = device.runtime().AllocateDevice(bytes);
  if (memory == nullptr) {
    cuda::EndOnError(cudaErrorMemoryAllocation, "the memory that ceilings are measured over");
  }
  device.FillBf16(memory, bytes);
  return memory;
}

double TerabytesPerSecond(int64_t bytes, double seconds) {
  return static_cast<double>(bytes) / seconds * 1e-12;
}

size_t Fastest(const std::vector<double>& seconds) {
  return static_cast<size_t>(std::min_element(seconds.begin(), seconds.end()) - seconds.begin());
}

}  // namespace

Ceilings::Ceilings(GpuDevice& device)
    : device_(device),
      memory_(Filled(device, kLargeBytes)),
      read_blocks_(device.gpu().multiprocessors),
      copy_blocks_(read_blocks_) {}

Ceilings::~Ceilings() { device_.runtime().FreeDevice(memory_); }

Timed Ceilings::ReadWith(int32_t blocks, int64_t bytes) const {
  return [this, blocks, bytes](cudaStream_t stream) {
    LaunchRead(memory_, bytes, blocks, device_.sink(), stream);
  };
}

Timed Ceilings::CopyWith(int32_t blocks) const {
  return [this, blocks](cudaStream_t stream) {
    if (blocks > 0) {
      LaunchCopy(memory_ + kBytes, memory_, kBytes / 2, blocks, stream);
      return;
    }
    cuda::EndOnError(cudaMemcpyAsync(memory_ + kBytes, memory_, static_cast<size_t>(kBytes / 2),
                                     cudaMemcpyDeviceToDevice, stream),
                     "cudaMemcpyAsync");
  };
}

void Ceilings::Measure() {
  MeasureMemory();
  MeasureLaunches();
}

void Ceilings::MeasureMemory() {
  std::vector<int32_t> blocks;
  std::vector<Timed> reads;
  std::vector<Timed> copies;
  for (const int32_t each : kBlocksEach) {
    blocks.push_back(each * device_.gpu().multiprocessors);
    reads.push_back(ReadWith(blocks.back(), kBytes));
    copies.push_back(CopyWith(blocks.back()));
  }
  blocks.push_back(0);
  copies.push_back(CopyWith(0));
  const std::vector<double> read = device_.MedianSeconds(reads, kRepeats);
  const std::vector<double> copy = device_.MedianSeconds(copies, kRepeats);
  read_blocks_ = blocks[Fastest(read)];
  copy_blocks_ = blocks[Fastest(copy)];
  const double large = device_.MedianSeconds({ReadWith(read_blocks_, kLargeBytes)}, kRepeats)[0];
  PrintFigure("gpu_read_stream_1gib", TerabytesPerSecond(kLargeBytes, large), "TB/s");
  PrintFigure("gpu_read_stream", TerabytesPerSecond(kBytes, read[Fastest(read)]), "TB/s",
              Field("blocks", read_blocks_));
  PrintFigure("gpu_copy_stream", TerabytesPerSecond(kBytes, copy[Fastest(copy)]), "TB/s",
              Field("blocks", copy_blocks_));
}

// Of the host's clock: from the first launch until the last one has run.
void Ceilings::MeasureLaunches() {
  constexpr int32_t kLaunches = 1000;
  constexpr int32_t kOfGraph = 20;
  const auto launch = [](cudaStream_t stream, int32_t count) {
    for (int32_t i = 0; i < count; ++i) LaunchEmpty(stream);
  };
  const Graph graph(device_, [&](cudaStream_t stream) { launch(stream, kOfGraph); });
  std::vector<double> direct;
  std::vector<double> replayed;
  for (int32_t repeat = 0; repeat <= kRepeats; ++repeat) {
    const double start = NowSeconds();
    launch(device_.stream(), kLaunches);
    device_.Synchronize();
    const double middle = NowSeconds();
    for (int32_t i = 0; i < kLaunches / kOfGraph; ++i) graph.Launch(device_.stream());
    device_.Synchronize();
    if (repeat == 0) continue;  // warms up
    direct.push_back((middle - start) / kLaunches);
    replayed.push_back((NowSeconds() - middle) / kLaunches);
  }
  PrintFigure("gpu_empty_launch", Median(direct) * 1e6, "us");
  PrintFigure("gpu_empty_launch_of_graph", Median(replayed) * 1e6, "us",
              Field("kernels_of_graph", kOfGraph));
}

}  // namespace sluice::bench
