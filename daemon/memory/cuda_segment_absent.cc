// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
// What cuda_segment.cc is where the program is built without CUDA.

#include "absl/strings/str_cat.h"
#include "daemon/memory/cuda_segment.h"

namespace sluice {

absl::StatusOr<CudaSegment> CudaSegment::Create(absl::string_view name, int64_t size_bytes) {
  return absl::UnimplementedError(absl::StrCat("segment ", name,
                                               ": this program was built without CUDA, ",
                                               size_bytes, " bytes were asked for"));
}

CudaSegment::~CudaSegment() = default;
CudaSegment::CudaSegment(CudaSegment&& other) noexcept = default;
CudaSegment& CudaSegment::operator=(CudaSegment&& other) noexcept = default;

}  // namespace sluice
