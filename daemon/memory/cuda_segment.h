// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace sluice {

struct CudaDriver;

// A range of a GPU's memory that another process may map, by a file descriptor.
//
// It is taken as a whole when it is made; all bytes are 0 at first. The host cannot touch
// it. Thread-compatible; the bytes are the owner's to guard.
class CudaSegment {
 public:
  // On the first device that the CUDA runtime shows. `name` is for messages; `size_bytes`
  // is rounded up to what the device allocates at a time, 2 MiB as a rule.
  //
  // Errors: INVALID_ARGUMENT: size_bytes < 1 or beyond 2^46; RESOURCE_EXHAUSTED: the
  // device has not that much; UNIMPLEMENTED: built without CUDA; UNAVAILABLE: no driver or
  // device, or one that cannot share memory by file descriptors; INTERNAL: another call of
  // the driver failed. Each names the segment, the call and the bytes that were asked for,
  // and leaves nothing taken; RESOURCE_EXHAUSTED names the bytes that are free too.
  static absl::StatusOr<CudaSegment> Create(absl::string_view name, int64_t size_bytes);

  // The same by the calls of `driver`, which outlives the segment.
  static absl::StatusOr<CudaSegment> Create(absl::string_view name, int64_t size_bytes,
                                            const CudaDriver& driver);

  ~CudaSegment();
  CudaSegment(CudaSegment&& other) noexcept;
  CudaSegment& operator=(CudaSegment&& other) noexcept;

  std::byte* data() const { return data_; }  // an address of the device, 2 MiB aligned
  int64_t size_bytes() const { return size_bytes_; }
  int fd() const { return fd_.get(); }  // to be passed to who imports it

 private:
  CudaSegment(const CudaDriver& driver, UniqueFd fd, std::byte* data, int64_t size_bytes);
  void Unmap();

  const CudaDriver* driver_ = nullptr;
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  int64_t size_bytes_ = 0;
};

}  // namespace sluice
