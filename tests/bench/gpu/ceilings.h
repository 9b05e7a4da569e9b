// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "tests/bench/gpu/gpu_device.h"

namespace sluice::bench {

// What the device's memory gives to a kernel that does nothing else, and what a launch costs.
// Not thread-safe.
class Ceilings {
 public:
  static constexpr int64_t kLargeBytes = int64_t{1} << 30;
  static constexpr int64_t kBytes = kLargeBytes / 2;

  // Ends the process where the device has no 1 GiB left.
  explicit Ceilings(GpuDevice& device);
  ~Ceilings();
  Ceilings(const Ceilings&) = delete;
  Ceilings& operator=(const Ceilings&) = delete;

  // Measures and prints all of it; Read and Copy are from then on the fastest of their kind.
  void Measure();

  // Reads kBytes; copies half of them, which moves kBytes.
  Timed Read() const { return ReadWith(read_blocks_, kBytes); }
  Timed Copy() const { return CopyWith(copy_blocks_); }

 private:
  Timed ReadWith(int32_t blocks, int64_t bytes) const;
  Timed CopyWith(int32_t blocks) const;
  void MeasureMemory();
  void MeasureLaunches();

  GpuDevice& device_;
  std::byte* const memory_;
  int32_t read_blocks_;
  int32_t copy_blocks_;  // 0: the runtime's own copy
};

}  // namespace sluice::bench
