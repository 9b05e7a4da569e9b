// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/cuda_driver.h"

#include <cuda_runtime_api.h>

namespace sluice {
namespace {

// The oldest driver that has all of the calls in their present form.
constexpr unsigned kCallsOfVersion = 11020;

template <class Function>
void Find(const char* name, Function* function, std::string* fault) {
  void* address = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &address, kCallsOfVersion,
                                                             cudaEnableDefault, &found);
  if (error != cudaSuccess || found != cudaDriverEntryPointSuccess) {
    *fault = std::string("the NVIDIA driver has no ") + name;
    return;
  }
  *function = reinterpret_cast<Function>(address);
}

CudaDriver LookUp() {
  CudaDriver driver;
  int version = 0;
  if (cudaDriverGetVersion(&version) != cudaSuccess || version == 0) {
    driver.fault = "no NVIDIA driver is installed";
    return driver;
  }
  // Makes the device's context, and says so where there is no driver or device.
  if (const cudaError_t error = cudaSetDevice(0); error != cudaSuccess) {
    driver.fault = cudaGetErrorString(error);
    return driver;
  }
  Find("cuDeviceGetAttribute", &driver.device_get_attribute, &driver.fault);
  Find("cuCtxSynchronize", &driver.ctx_synchronize, &driver.fault);
  Find("cuMemGetInfo", &driver.mem_get_info, &driver.fault);
  Find("cuMemsetD8", &driver.memset_d8, &driver.fault);
  Find("cuGetErrorString", &driver.get_error_string, &driver.fault);
  Find("cuMemAddressReserve", &driver.mem_address_reserve, &driver.fault);
  Find("cuMemAddressFree", &driver.mem_address_free, &driver.fault);
  Find("cuMemCreate", &driver.mem_create, &driver.fault);
  Find("cuMemRelease", &driver.mem_release, &driver.fault);
  Find("cuMemMap", &driver.mem_map, &driver.fault);
  Find("cuMemUnmap", &driver.mem_unmap, &driver.fault);
  Find("cuMemSetAccess", &driver.mem_set_access, &driver.fault);
  Find("cuMemGetAllocationGranularity", &driver.mem_get_allocation_granularity, &driver.fault);
  Find("cuMemExportToShareableHandle", &driver.mem_export_to_shareable_handle, &driver.fault);
  return driver;
}

}  // namespace

const CudaDriver& GetCudaDriver() {
  static const CudaDriver& driver = *new CudaDriver(LookUp());
  // The context is each thread's own choice.
  if (driver.fault.empty()) cudaSetDevice(0);
  return driver;
}

}  // namespace sluice
