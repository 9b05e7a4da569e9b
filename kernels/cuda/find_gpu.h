// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sluice::cuda {

// The GPU that the backend runs on, or why there is none.
struct GpuFound {
  std::string fault;  // empty: there is one; else a sentence for people, without a full stop
  std::string name;   // "NVIDIA H200"
  int32_t major = 0;  // compute capability
  int32_t minor = 0;
  int32_t multiprocessors = 0;
  int32_t threads_per_multiprocessor = 0;
  int32_t shared_bytes_of_block = 0;  // that a kernel may ask for
  int64_t memory_bytes = 0;
};

// Looks at the first device that the CUDA runtime shows to this process
// (CUDA_VISIBLE_DEVICES chooses). Needs no driver and makes no context on the device.
// Thread-safe.
GpuFound FindGpu();

}  // namespace sluice::cuda
