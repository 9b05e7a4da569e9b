// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/base/unique_fd.h"

namespace sluice {

// A range of host memory that another process may map read-only.
//
// It is taken and touched as a whole when it is made, so that it cannot run out
// later, and sealed: no one can change its size, and no one but the owner of this
// object can write it. All bytes are 0 at first.
//
// Thread-compatible; the bytes are the owner's to guard.
class HostSegment {
 public:
  // Called with (touched_bytes, size_bytes) while the memory is taken.
  using Progress = std::function<void(int64_t, int64_t)>;

  // `name` shows in /proc; `size_bytes` is rounded up to whole 2 MiB.
  //
  // Errors: INVALID_ARGUMENT: size_bytes < 1 or beyond 2^46; RESOURCE_EXHAUSTED:
  // the memory is not there; INTERNAL: another system call failed. Each names the
  // segment, the call and the bytes that were asked for.
  static absl::StatusOr<HostSegment> Create(absl::string_view name, int64_t size_bytes,
                                            const Progress& progress = nullptr);

  ~HostSegment();
  HostSegment(HostSegment&& other) noexcept;
  HostSegment& operator=(HostSegment&& other) noexcept;

  std::byte* data() const { return data_; }  // 4096-byte aligned
  int64_t size_bytes() const { return size_bytes_; }
  int fd() const { return fd_.get(); }  // to be passed to readers

 private:
  HostSegment(UniqueFd fd, std::byte* data, int64_t size_bytes);
  void Unmap();

  UniqueFd fd_;
  std::byte* data_ = nullptr;
  int64_t size_bytes_ = 0;
};

}  // namespace sluice
