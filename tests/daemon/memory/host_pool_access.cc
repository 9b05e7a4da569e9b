// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include "tests/daemon/memory/pool_access.h"

namespace sluice {
namespace {

class HostPoolAccess final : public PoolAccess {
 public:
  std::byte* Map(int fd, int64_t bytes, bool writable) override {
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void* const memory =
        ::mmap(nullptr, static_cast<size_t>(bytes), protection, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
  }

  bool Read(const std::byte* from, uint8_t* value) override {
    *value = static_cast<uint8_t>(*from);
    return true;
  }

  bool Write(std::byte* to, uint8_t value) override {
    *to = std::byte{value};
    return true;
  }

  int64_t FreeBytes() override { return -1; }
};

}  // namespace

std::unique_ptr<PoolAccess> MakeHostPoolAccess() { return std::make_unique<HostPoolAccess>(); }

}  // namespace sluice
