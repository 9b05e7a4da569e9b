// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/bench/gpu/shared_memory.h"

#include <cudaTypedefs.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/cuda/gpu_error.h"
#include "kernels/page_format.h"

namespace sluice::bench {
namespace {

// A function of the driver; null: it has none of the name. The program is not linked with the
// driver's library, which is not where there is no GPU.
void* Entry(const char* name) {
  constexpr unsigned kVersion = 10020;  // of CUDA, in which these came
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion(name, &entry, kVersion, cudaEnableDefault, &found);
  cudaGetLastError();
  return error == cudaSuccess && found == cudaDriverEntryPointSuccess ? entry : nullptr;
}

template <class Function>
Function EntryOf(const char* name) {
  return reinterpret_cast<Function>(Entry(name));
}

void EndOnRefusal(CUresult result, const char* call) {
  if (result == CUDA_SUCCESS) return;
  std::fprintf(stderr, "the GPU failed: %s: error %d\n", call, static_cast<int>(result));
  std::abort();
}

CUmemAllocationProp Properties() {
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = 0;
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  return properties;
}

constexpr const char* kCalls[] = {"cuMemCreate",
                                  "cuMemGetAllocationGranularity",
                                  "cuMemAddressReserve",
                                  "cuMemMap",
                                  "cuMemSetAccess",
                                  "cuMemExportToShareableHandle",
                                  "cuMemImportFromShareableHandle"};

}  // namespace

bool SharedMemory::Offered() {
  for (const char* call : kCalls) {
    if (Entry(call) == nullptr) return false;
  }
  return true;
}

SharedMemory SharedMemory::Create(int64_t bytes) {
  cuda::EndOnError(cudaFree(nullptr), "cudaFree");  // makes the context
  const CUmemAllocationProp properties = Properties();
  size_t granularity = 0;
  EndOnRefusal(EntryOf<PFN_cuMemGetAllocationGranularity_v10020>("cuMemGetAllocationGranularity")(
                   &granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
               "cuMemGetAllocationGranularity");
  SharedMemory memory;
  memory.bytes_ = RoundUp(bytes, static_cast<int64_t>(granularity));
  EndOnRefusal(EntryOf<PFN_cuMemCreate_v10020>("cuMemCreate")(
                   &memory.handle_, static_cast<size_t>(memory.bytes_), &properties, 0),
               "cuMemCreate");
  memory.Map(true);
  return memory;
}

SharedMemory SharedMemory::Import(int descriptor, int64_t bytes) {
  cuda::EndOnError(cudaFree(nullptr), "cudaFree");  // makes the context
  SharedMemory memory;
  memory.bytes_ = bytes;
  EndOnRefusal(
      EntryOf<PFN_cuMemImportFromShareableHandle_v10020>("cuMemImportFromShareableHandle")(
          &memory.handle_, reinterpret_cast<void*>(static_cast<intptr_t>(descriptor)),
          CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
      "cuMemImportFromShareableHandle");
  memory.Map(false);
  return memory;
}

int SharedMemory::Export() const {
  int descriptor = -1;
  EndOnRefusal(EntryOf<PFN_cuMemExportToShareableHandle_v10020>("cuMemExportToShareableHandle")(
                   &descriptor, handle_, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
               "cuMemExportToShareableHandle");
  return descriptor;
}

void SharedMemory::Map(bool writable) {
  const auto size = static_cast<size_t>(bytes_);
  CUdeviceptr address = 0;
  EndOnRefusal(EntryOf<PFN_cuMemAddressReserve_v10020>("cuMemAddressReserve")(&address, size, 0,
                                                                              0, 0),
               "cuMemAddressReserve");
  EndOnRefusal(EntryOf<PFN_cuMemMap_v10020>("cuMemMap")(address, size, 0, handle_, 0),
               "cuMemMap");
  CUmemAccessDesc access{};
  access.location = Properties().location;
  access.flags = writable ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_READ;
  EndOnRefusal(EntryOf<PFN_cuMemSetAccess_v10020>("cuMemSetAccess")(address, size, &access, 1),
               writable ? "cuMemSetAccess to write" : "cuMemSetAccess only to read");
  data_ = reinterpret_cast<std::byte*>(address);
}

}  // namespace sluice::bench
