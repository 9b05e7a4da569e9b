// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/cuda_segment.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/status_macros.h"
#include "daemon/memory/cuda_driver.h"

namespace sluice {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 46;

CUmemAllocationProp Properties() {
  CUmemAllocationProp properties = {};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  return properties;
}

// What a call of the driver says, about a segment of a name and as many bytes as are asked for.
class Calls {
 public:
  Calls(const CudaDriver& driver, absl::string_view name, int64_t bytes)
      : driver_(driver), name_(name), bytes_(bytes) {}

  const CudaDriver& driver() const { return driver_; }

  absl::Status Check(absl::string_view call, CUresult result) const {
    if (result == CUDA_SUCCESS) return absl::OkStatus();
    const char* text = nullptr;
    driver_.get_error_string(result, &text);
    std::string said = absl::StrCat("segment ", name_, ": ", call, ": ",
                                    text == nullptr ? "an unknown error" : text, ", ", bytes_,
                                    " bytes of the GPU were asked for");
    if (result != CUDA_ERROR_OUT_OF_MEMORY) return absl::InternalError(said);
    size_t free = 0;
    size_t total = 0;
    if (driver_.mem_get_info(&free, &total) == CUDA_SUCCESS) {
      absl::StrAppend(&said, ", ", free, " are free");
    }
    return absl::ResourceExhaustedError(said);
  }

 private:
  const CudaDriver& driver_;
  const absl::string_view name_;
  const int64_t bytes_;
};

absl::Status CheckShares(const CudaDriver& driver, absl::string_view name) {
  int shares = 0;
  const CUresult result = driver.device_get_attribute(
      &shares, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED, 0);
  if (result == CUDA_SUCCESS && shares != 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "segment ", name, ": the GPU cannot share its memory by file descriptors"));
}

// Physical memory, owned until it is mapped: a mapping keeps it.
class Allocation {
 public:
  Allocation(const CudaDriver& driver, CUmemGenericAllocationHandle handle)
      : driver_(driver), handle_(handle) {}
  ~Allocation() { driver_.mem_release(handle_); }
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;
  CUmemGenericAllocationHandle get() const { return handle_; }

 private:
  const CudaDriver& driver_;
  const CUmemGenericAllocationHandle handle_;
};

absl::StatusOr<UniqueFd> Export(const Calls& calls, const Allocation& allocation) {
  int fd = -1;
  SLUICE_RETURN_IF_ERROR(
      calls.Check("cuMemExportToShareableHandle",
                  calls.driver().mem_export_to_shareable_handle(
                      &fd, allocation.get(), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0)));
  return UniqueFd(fd);
}

// Maps the allocation for reading and writing by the device, and clears it.
absl::Status MapAt(const Calls& calls, CUdeviceptr address, size_t bytes,
                   const Allocation& allocation) {
  const CudaDriver& driver = calls.driver();
  SLUICE_RETURN_IF_ERROR(
      calls.Check("cuMemMap", driver.mem_map(address, bytes, 0, allocation.get(), 0)));
  const CUmemAccessDesc access = {{CU_MEM_LOCATION_TYPE_DEVICE, 0},
                                  CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  absl::Status status =
      calls.Check("cuMemSetAccess", driver.mem_set_access(address, bytes, &access, 1));
  if (status.ok()) status = calls.Check("cuMemsetD8", driver.memset_d8(address, 0, bytes));
  if (status.ok()) status = calls.Check("cuCtxSynchronize", driver.ctx_synchronize());
  if (!status.ok()) driver.mem_unmap(address, bytes);
  return status;
}

// The address of a new mapping of the allocation.
absl::StatusOr<CUdeviceptr> Map(const Calls& calls, size_t bytes, const Allocation& allocation) {
  const CudaDriver& driver = calls.driver();
  CUdeviceptr address = 0;
  SLUICE_RETURN_IF_ERROR(calls.Check("cuMemAddressReserve",
                                     driver.mem_address_reserve(&address, bytes, 0, 0, 0)));
  const absl::Status status = MapAt(calls, address, bytes, allocation);
  if (status.ok()) return address;
  driver.mem_address_free(address, bytes);
  return status;
}

}  // namespace

absl::StatusOr<CudaSegment> CudaSegment::Create(absl::string_view name, int64_t size_bytes) {
  return Create(name, size_bytes, GetCudaDriver());
}

absl::StatusOr<CudaSegment> CudaSegment::Create(absl::string_view name, int64_t size_bytes,
                                                const CudaDriver& driver) {
  if (size_bytes < 1 || size_bytes > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("segment ", name, ": size_bytes must be in [1, ",
                                                   kMaxBytes, "], got ", size_bytes));
  }
  if (!driver.fault.empty()) {
    return absl::UnavailableError(absl::StrCat("segment ", name, ": no GPU: ", driver.fault));
  }
  SLUICE_RETURN_IF_ERROR(CheckShares(driver, name));
  const CUmemAllocationProp properties = Properties();
  size_t granularity = 0;
  SLUICE_RETURN_IF_ERROR(
      Calls(driver, name, size_bytes)
          .Check("cuMemGetAllocationGranularity",
                 driver.mem_get_allocation_granularity(&granularity, &properties,
                                                       CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)));
  const auto unit = static_cast<int64_t>(granularity);
  const int64_t whole_bytes = CeilDivide(size_bytes, unit) * unit;
  const auto bytes = static_cast<size_t>(whole_bytes);
  const Calls calls(driver, name, whole_bytes);
  CUmemGenericAllocationHandle handle = 0;
  SLUICE_RETURN_IF_ERROR(
      calls.Check("cuMemCreate", driver.mem_create(&handle, bytes, &properties, 0)));
  const Allocation allocation(driver, handle);
  SLUICE_ASSIGN_OR_RETURN(UniqueFd fd, Export(calls, allocation));
  SLUICE_ASSIGN_OR_RETURN(const CUdeviceptr address, Map(calls, bytes, allocation));
  return CudaSegment(driver, std::move(fd), reinterpret_cast<std::byte*>(address), whole_bytes);
}

CudaSegment::CudaSegment(const CudaDriver& driver, UniqueFd fd, std::byte* data,
                         int64_t size_bytes)
    : driver_(&driver), fd_(std::move(fd)), data_(data), size_bytes_(size_bytes) {}

CudaSegment::~CudaSegment() { Unmap(); }

CudaSegment::CudaSegment(CudaSegment&& other) noexcept
    : driver_(other.driver_),
      fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

CudaSegment& CudaSegment::operator=(CudaSegment&& other) noexcept {
  if (this != &other) {
    Unmap();
    driver_ = other.driver_;
    fd_ = std::move(other.fd_);
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
  }
  return *this;
}

void CudaSegment::Unmap() {
  if (data_ == nullptr) return;
  const auto address = reinterpret_cast<CUdeviceptr>(data_);
  const auto bytes = static_cast<size_t>(size_bytes_);
  driver_->mem_unmap(address, bytes);
  driver_->mem_address_free(address, bytes);
  data_ = nullptr;
}

}  // namespace sluice
