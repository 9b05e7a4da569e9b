// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/pool_segment.h"

#include "daemon/base/status_macros.h"

namespace sluice {

absl::StatusOr<PoolSegment> PoolSegment::Create(PoolPlace place, absl::string_view name,
                                                int64_t size_bytes,
                                                const HostSegment::Progress& progress) {
  if (place == PoolPlace::kGpu) {
    SLUICE_ASSIGN_OR_RETURN(CudaSegment segment, CudaSegment::Create(name, size_bytes));
    return PoolSegment(std::move(segment));
  }
  SLUICE_ASSIGN_OR_RETURN(HostSegment segment, HostSegment::Create(name, size_bytes, progress));
  return PoolSegment(std::move(segment));
}

std::byte* PoolSegment::data() const {
  return std::visit([](const auto& segment) { return segment.data(); }, segment_);
}

int64_t PoolSegment::size_bytes() const {
  return std::visit([](const auto& segment) { return segment.size_bytes(); }, segment_);
}

int PoolSegment::fd() const {
  return std::visit([](const auto& segment) { return segment.fd(); }, segment_);
}

}  // namespace sluice
