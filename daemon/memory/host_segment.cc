// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/host_segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/failpoint.h"
#include "daemon/base/status_macros.h"
#include "daemon/memory/available_memory.h"

namespace sluice {
namespace {

constexpr int64_t kHugePageBytes = int64_t{2} << 20;
constexpr int64_t kMaxBytes = int64_t{1} << 46;
constexpr int64_t kSliceBytes = int64_t{64} << 20;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

absl::Status SystemError(absl::string_view name, absl::string_view call, int64_t bytes,
                         int error) {
  const bool is_memory = error == ENOMEM || error == ENOSPC || error == EFBIG;
  const absl::Status by_number = absl::ErrnoToStatus(error, call);
  return {is_memory ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
          absl::StrCat("segment ", name, ": ", by_number.message(), ", ", bytes,
                       " bytes were asked for")};
}

// The kernel promises more than there is, and kills somebody when it is touched.
absl::Status CheckAvailable(absl::string_view name, int64_t size_bytes) {
  const std::optional<int64_t> available = AvailableMemoryBytes();
  if (!available.has_value() || size_bytes <= *available) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("segment ", name, ": ", size_bytes,
                                                   " bytes were asked for, the machine has ",
                                                   *available, " available"));
}

// Takes the memory now. fallocate answers with an error where a first touch of
// memory that is not there would kill the process.
absl::Status TakeMemory(absl::string_view name, int fd, std::byte* data, int64_t size_bytes,
                        const HostSegment::Progress& progress) {
  for (int64_t done = 0; done < size_bytes;) {
    SLUICE_RETURN_IF_ERROR(SLUICE_FAILPOINT("host_segment.take"));
    const int64_t slice = std::min(kSliceBytes, size_bytes - done);
    int result = 0;
    do {
      result = ::fallocate(fd, 0, done, slice);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return SystemError(name, "fallocate", size_bytes, errno);
    // Fills the page tables, so that the first step does not pay for it.
    if (::madvise(data + done, static_cast<size_t>(slice), MADV_POPULATE_WRITE) != 0) {
      if (errno != EINVAL) return SystemError(name, "madvise", size_bytes, errno);
      for (int64_t at = done; at < done + slice; at += 4096) {  // a kernel older than 5.14
        *reinterpret_cast<volatile std::byte*>(data + at) = std::byte{0};
      }
    }
    done += slice;
    if (progress) progress(done, size_bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostSegment> HostSegment::Create(absl::string_view name, int64_t size_bytes,
                                                const Progress& progress) {
  if (size_bytes < 1 || size_bytes > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("segment ", name, ": size_bytes must be in [1, ",
                                                   kMaxBytes, "], got ", size_bytes));
  }
  size_bytes = CeilDivide(size_bytes, kHugePageBytes) * kHugePageBytes;
  SLUICE_RETURN_IF_ERROR(CheckAvailable(name, size_bytes));
  UniqueFd fd(::memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return SystemError(name, "memfd_create", size_bytes, errno);
  if (::ftruncate(fd.get(), size_bytes) != 0) {
    return SystemError(name, "ftruncate", size_bytes, errno);
  }
  void* const data = ::mmap(nullptr, static_cast<size_t>(size_bytes), PROT_READ | PROT_WRITE,
                            MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return SystemError(name, "mmap", size_bytes, errno);
  HostSegment segment(std::move(fd), static_cast<std::byte*>(data), size_bytes);
  // Advice: a kernel that does not take it gives small pages.
  ::madvise(data, static_cast<size_t>(size_bytes), MADV_HUGEPAGE);
  SLUICE_RETURN_IF_ERROR(TakeMemory(name, segment.fd(), segment.data(), size_bytes, progress));
  // The mapping above stays writable; later ones cannot be.
  if (::fcntl(segment.fd(), F_ADD_SEALS, kSeals) != 0) {
    return SystemError(name, "fcntl(F_ADD_SEALS)", size_bytes, errno);
  }
  return segment;
}

HostSegment::HostSegment(UniqueFd fd, std::byte* data, int64_t size_bytes)
    : fd_(std::move(fd)), data_(data), size_bytes_(size_bytes) {}

HostSegment::~HostSegment() { Unmap(); }

HostSegment::HostSegment(HostSegment&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

HostSegment& HostSegment::operator=(HostSegment&& other) noexcept {
  if (this != &other) {
    Unmap();
    fd_ = std::move(other.fd_);
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
  }
  return *this;
}

void HostSegment::Unmap() {
  if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(size_bytes_));
}

}  // namespace sluice
