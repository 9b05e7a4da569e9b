// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace sluice::bench {

// Memory of the device that two processes map, through a file descriptor. Each method ends
// the process where the driver refuses, but for those that say otherwise. The memory stays
// mapped as long as the process lives. Not thread-safe.
class SharedMemory {
 public:
  // Makes at least `bytes` of it, to be read and written.
  static SharedMemory Create(int64_t bytes);
  // Maps what another process exported, only to be read.
  static SharedMemory Import(int descriptor, int64_t bytes);

  // Whether this driver shares memory so; the others must not be called where not.
  static bool Offered();

  // A descriptor for Import; the caller closes it.
  int Export() const;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void Map(bool writable);

  unsigned long long handle_ = 0;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace sluice::bench
