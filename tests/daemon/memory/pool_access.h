// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice {

// How a process touches the memory of pools, its own and other processes'. Owned by one thread.
class PoolAccess {
 public:
  virtual ~PoolAccess() = default;

  // Maps the pool behind a descriptor, `bytes` of it; null: that is refused. It stays mapped
  // as long as the process lives.
  virtual std::byte* Map(int fd, int64_t bytes, bool writable) = 0;

  // False: the memory cannot be reached.
  virtual bool Read(const std::byte* from, uint8_t* value) = 0;
  virtual bool Write(std::byte* to, uint8_t value) = 0;

  // Bytes of such memory that nobody has; -1: that cannot be told.
  virtual int64_t FreeBytes() = 0;
};

std::unique_ptr<PoolAccess> MakeHostPoolAccess();

// Of the first GPU. Built with CUDA only; touches the GPU first when it is made.
std::unique_ptr<PoolAccess> MakeCudaPoolAccess();

}  // namespace sluice
