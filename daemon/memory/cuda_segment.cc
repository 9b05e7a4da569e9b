// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/cuda_segment.h"

#include <cuda_runtime_api.h>

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

absl::Status Check(absl::string_view name, absl::string_view call, int64_t bytes,
                   CUresult result) {
  if (result == CUDA_SUCCESS) return absl::OkStatus();
  const char* text = nullptr;
  GetCudaDriver().get_error_string(result, &text);
  const bool is_memory = result == CUDA_ERROR_OUT_OF_MEMORY;
  return {is_memory ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInternal,
          absl::StrCat("segment ", name, ": ", call, ": ",
                       text == nullptr ? "an unknown error" : text, ", ", bytes,
                       " bytes of the GPU were asked for")};
}

absl::Status CheckShares(absl::string_view name) {
  int shares = 0;
  const CUresult result = GetCudaDriver().device_get_attribute(
      &shares, CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED, 0);
  if (result == CUDA_SUCCESS && shares != 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "segment ", name, ": the GPU cannot share its memory by file descriptors"));
}

// Physical memory, owned until it is mapped: a mapping keeps it.
class Allocation {
 public:
  explicit Allocation(CUmemGenericAllocationHandle handle) : handle_(handle) {}
  ~Allocation() { GetCudaDriver().mem_release(handle_); }
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;
  CUmemGenericAllocationHandle get() const { return handle_; }

 private:
  const CUmemGenericAllocationHandle handle_;
};

absl::StatusOr<UniqueFd> Export(absl::string_view name, int64_t bytes,
                                const Allocation& allocation) {
  int fd = -1;
  SLUICE_RETURN_IF_ERROR(
      Check(name, "cuMemExportToShareableHandle", bytes,
            GetCudaDriver().mem_export_to_shareable_handle(
                &fd, allocation.get(), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0)));
  return UniqueFd(fd);
}

// Maps the allocation for reading and writing by the device, and clears it.
absl::Status MapAt(absl::string_view name, CUdeviceptr address, size_t bytes,
                   const Allocation& allocation) {
  const CudaDriver& driver = GetCudaDriver();
  const auto asked = static_cast<int64_t>(bytes);
  SLUICE_RETURN_IF_ERROR(
      Check(name, "cuMemMap", asked, driver.mem_map(address, bytes, 0, allocation.get(), 0)));
  const CUmemAccessDesc access = {{CU_MEM_LOCATION_TYPE_DEVICE, 0},
                                  CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  absl::Status status =
      Check(name, "cuMemSetAccess", asked, driver.mem_set_access(address, bytes, &access, 1));
  if (status.ok() && (cudaMemset(reinterpret_cast<void*>(address), 0, bytes) != cudaSuccess ||
                      cudaDeviceSynchronize() != cudaSuccess)) {
    status = absl::InternalError(absl::StrCat("segment ", name, ": it cannot be cleared"));
  }
  if (!status.ok()) driver.mem_unmap(address, bytes);
  return status;
}

}  // namespace

absl::StatusOr<CudaSegment> CudaSegment::Create(absl::string_view name, int64_t size_bytes) {
  if (size_bytes < 1 || size_bytes > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("segment ", name, ": size_bytes must be in [1, ",
                                                   kMaxBytes, "], got ", size_bytes));
  }
  const CudaDriver& driver = GetCudaDriver();
  if (!driver.fault.empty()) {
    return absl::UnavailableError(absl::StrCat("segment ", name, ": no GPU: ", driver.fault));
  }
  SLUICE_RETURN_IF_ERROR(CheckShares(name));
  const CUmemAllocationProp properties = Properties();
  size_t granularity = 0;
  SLUICE_RETURN_IF_ERROR(
      Check(name, "cuMemGetAllocationGranularity", size_bytes,
            driver.mem_get_allocation_granularity(&granularity, &properties,
                                                  CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)));
  const auto unit = static_cast<int64_t>(granularity);
  const auto bytes = static_cast<size_t>(CeilDivide(size_bytes, unit) * unit);
  CUmemGenericAllocationHandle handle = 0;
  SLUICE_RETURN_IF_ERROR(Check(name, "cuMemCreate", static_cast<int64_t>(bytes),
                               driver.mem_create(&handle, bytes, &properties, 0)));
  const Allocation allocation(handle);
  SLUICE_ASSIGN_OR_RETURN(UniqueFd fd, Export(name, static_cast<int64_t>(bytes), allocation));
  CUdeviceptr address = 0;
  SLUICE_RETURN_IF_ERROR(Check(name, "cuMemAddressReserve", static_cast<int64_t>(bytes),
                               driver.mem_address_reserve(&address, bytes, 0, 0, 0)));
  if (absl::Status status = MapAt(name, address, bytes, allocation); !status.ok()) {
    driver.mem_address_free(address, bytes);
    return status;
  }
  return CudaSegment(std::move(fd), reinterpret_cast<std::byte*>(address),
                     static_cast<int64_t>(bytes));
}

CudaSegment::CudaSegment(UniqueFd fd, std::byte* data, int64_t size_bytes)
    : fd_(std::move(fd)), data_(data), size_bytes_(size_bytes) {}

CudaSegment::~CudaSegment() { Unmap(); }

CudaSegment::CudaSegment(CudaSegment&& other) noexcept
    : fd_(std::move(other.fd_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

CudaSegment& CudaSegment::operator=(CudaSegment&& other) noexcept {
  if (this != &other) {
    Unmap();
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
  GetCudaDriver().mem_unmap(address, bytes);
  GetCudaDriver().mem_address_free(address, bytes);
  data_ = nullptr;
}

}  // namespace sluice
