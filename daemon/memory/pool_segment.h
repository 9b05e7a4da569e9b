// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/memory/cuda_segment.h"
#include "daemon/memory/host_segment.h"

namespace sluice {

// Where a pool lies.
enum class PoolPlace : uint8_t { kHost = 0, kGpu = 1 };

// The memory of a pool, of the host or of a GPU. Thread-compatible.
class PoolSegment {
 public:
  // Errors: those of HostSegment::Create and CudaSegment::Create. `progress` is called of
  // host memory only, which takes its time.
  static absl::StatusOr<PoolSegment> Create(PoolPlace place, absl::string_view name,
                                            int64_t size_bytes,
                                            const HostSegment::Progress& progress);

  std::byte* data() const;  // 4096-byte aligned; of a GPU an address of the device
  int64_t size_bytes() const;
  int fd() const;  // to be passed to other processes

 private:
  using Segment = std::variant<HostSegment, CudaSegment>;
  explicit PoolSegment(Segment segment) : segment_(std::move(segment)) {}

  Segment segment_;
};

}  // namespace sluice
