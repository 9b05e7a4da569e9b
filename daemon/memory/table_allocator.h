// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/memory/free_set.h"

namespace sluice {

// Hands out ranges of a segment of fixed size, as byte offsets.
//
// A binary buddy system from 64 bytes up: up to 4 KiB a request is rounded up to
// a power of two, beyond that to whole 4 KiB. The lowest free place is taken, so
// the same calls give the same offsets. Touches no byte of the segment and takes
// no memory after its construction.
//
// Not thread-safe: owned by the engine thread. O(log size) a call.
class TableAllocator {
 public:
  static constexpr int64_t kUnitBytes = 64;

  // `size_bytes` is rounded down to whole units. REQUIRES: >= 64.
  explicit TableAllocator(int64_t size_bytes);

  // The offset of `bytes` bytes, aligned to 64 and, up to 4 KiB, to the rounded
  // size; nullopt if no free range is large enough. REQUIRES: bytes >= 1.
  std::optional<uint64_t> Allocate(int64_t bytes);

  // Gives a range back. REQUIRES: Allocate(bytes) returned `offset`, and it was not
  // freed since. A range that is free already stops the process.
  void Free(uint64_t offset, int64_t bytes);

  int64_t size_bytes() const { return size_bytes_; }
  int64_t used_bytes() const { return used_bytes_; }  // as rounded
  int64_t free_bytes() const { return size_bytes_ - used_bytes_; }

 private:
  static int64_t RoundedBytes(int64_t bytes);
  void FreeUnits(int64_t first, int64_t count);
  void FreeRange(int64_t first, int order);
  void CheckNotFree(int64_t range, int order) const;

  int64_t size_bytes_;
  int64_t used_bytes_ = 0;
  std::vector<FreeSet> free_;  // by order: numbers of free ranges of 2^order units
};

}  // namespace sluice
