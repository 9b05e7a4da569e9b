// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::client {

// A GPU as its driver describes it.
struct GpuDevice {
  std::string name = {};
  int compute_major = 0;
  int compute_minor = 0;
  int64_t memory_bytes = 0;
  bool shares_memory = false;  // virtual memory that file descriptors can carry
};

// What the CUDA driver of this machine says.
struct GpuDriver {
  std::string problem = {};  // why there is no list of devices; empty: there is
  int version = 0;           // 1000 * major + 10 * minor: the newest CUDA that it runs
  std::vector<GpuDevice> devices = {};
};

// Asks the driver's library, which is loaded for that: this program needs none to start.
// Makes no context and takes no memory of a GPU.
GpuDriver ProbeGpu(const std::string& library = "libcuda.so.1");

}  // namespace sluice::client
