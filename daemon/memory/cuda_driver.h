// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda.h>

#include <string>

namespace sluice {

// Calls of the CUDA driver for virtual memory, looked up when they are first wanted: a
// program that links the driver's library does not start where there is none.
struct CudaDriver {
  std::string fault;  // why the calls cannot be made, for people; empty: they can

  decltype(&cuDeviceGetAttribute) device_get_attribute = nullptr;
  decltype(&cuCtxSynchronize) ctx_synchronize = nullptr;
  decltype(&cuGetErrorString) get_error_string = nullptr;
  decltype(&cuMemGetInfo) mem_get_info = nullptr;
  decltype(&cuMemsetD8) memset_d8 = nullptr;
  decltype(&cuMemAddressReserve) mem_address_reserve = nullptr;
  decltype(&cuMemAddressFree) mem_address_free = nullptr;
  decltype(&cuMemCreate) mem_create = nullptr;
  decltype(&cuMemRelease) mem_release = nullptr;
  decltype(&cuMemMap) mem_map = nullptr;
  decltype(&cuMemUnmap) mem_unmap = nullptr;
  decltype(&cuMemSetAccess) mem_set_access = nullptr;
  decltype(&cuMemGetAllocationGranularity) mem_get_allocation_granularity = nullptr;
  decltype(&cuMemExportToShareableHandle) mem_export_to_shareable_handle = nullptr;
};

// The driver of this machine; its context of device 0 is then the calling thread's.
// Thread-safe.
const CudaDriver& GetCudaDriver();

}  // namespace sluice
