// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device/device_runtime.h"

namespace sluice::bench {

// What the benchmark's cases need of a device beside what kernels do: content of its memory.
// Each method returns once that is there. Not thread-safe.
class BenchDevice {
 public:
  virtual ~BenchDevice() = default;

  virtual device::DeviceRuntime& runtime() = 0;

  // Fills with bf16 of any sign and mantissa, of size 1/4 to 1. `bytes` is a multiple of 16.
  virtual void FillBf16(std::byte* memory, int64_t bytes) = 0;

  // Fills with different floats in [1, 2).
  virtual void FillFloats(float* memory, int64_t count) = 0;

  virtual void Upload(void* memory, const void* host, int64_t bytes) = 0;
};

// What a word of such memory holds: both fills are made of these, wherever they run.
SLUICE_HD constexpr uint32_t RandomWord(uint64_t index) {
  uint64_t word = (index + 1) * 0x9e3779b97f4a7c15u;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(word >> 32);
}

SLUICE_HD constexpr uint32_t Bf16Word(uint64_t index) {
  return (RandomWord(index) & 0x80ff80ffu) | 0x3e003e00u;
}

SLUICE_HD constexpr uint32_t FloatWord(uint64_t index) {
  return (RandomWord(index) & 0x007fffffu) | 0x3f800000u;
}

}  // namespace sluice::bench
