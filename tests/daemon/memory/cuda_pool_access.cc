// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <cuda_runtime_api.h>

#include "daemon/memory/cuda_driver.h"
#include "tests/daemon/memory/pool_access.h"

namespace sluice {
namespace {

// Null where the driver has no such call.
decltype(&cuMemImportFromShareableHandle) FindImport() {
  constexpr unsigned kVersion = 11020;
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t error = cudaGetDriverEntryPointByVersion(
      "cuMemImportFromShareableHandle", &entry, kVersion, cudaEnableDefault, &found);
  const bool is_there = error == cudaSuccess && found == cudaDriverEntryPointSuccess;
  return is_there ? reinterpret_cast<decltype(&cuMemImportFromShareableHandle)>(entry) : nullptr;
}

class CudaPoolAccess final : public PoolAccess {
 public:
  std::byte* Map(int fd, int64_t bytes, bool writable) override {
    const auto import = FindImport();
    CUmemGenericAllocationHandle handle = 0;
    if (import == nullptr ||
        import(&handle, reinterpret_cast<void*>(static_cast<intptr_t>(fd)),
               CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) != CUDA_SUCCESS) {
      return nullptr;
    }
    const auto size = static_cast<size_t>(bytes);
    const CUmemAccessDesc access = {
        {CU_MEM_LOCATION_TYPE_DEVICE, 0},
        writable ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_READ};
    CUdeviceptr address = 0;
    const bool is_mapped = driver_.mem_address_reserve(&address, size, 0, 0, 0) == CUDA_SUCCESS &&
                           driver_.mem_map(address, size, 0, handle, 0) == CUDA_SUCCESS &&
                           driver_.mem_set_access(address, size, &access, 1) == CUDA_SUCCESS;
    driver_.mem_release(handle);
    return is_mapped ? reinterpret_cast<std::byte*>(address) : nullptr;
  }

  bool Read(const std::byte* from, uint8_t* value) override {
    return cudaMemcpy(value, from, sizeof(*value), cudaMemcpyDeviceToHost) == cudaSuccess;
  }

  bool Write(std::byte* to, uint8_t value) override {
    return cudaMemcpy(to, &value, sizeof(value), cudaMemcpyHostToDevice) == cudaSuccess;
  }

  int64_t FreeBytes() override {
    size_t free = 0;
    size_t total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<int64_t>(free) : -1;
  }

 private:
  const CudaDriver& driver_ = GetCudaDriver();
};

}  // namespace

std::unique_ptr<PoolAccess> MakeCudaPoolAccess() { return std::make_unique<CudaPoolAccess>(); }

}  // namespace sluice
