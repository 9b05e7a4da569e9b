// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/find_gpu.h"

#include <cuda_runtime_api.h>

namespace sluice::cuda {
namespace {

constexpr int kDevice = 0;
constexpr int32_t kLeastMajor = 8;  // kernels copy asynchronously

// "13.0", as CUDA counts versions.
std::string Version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string Said(const char* call, cudaError_t error) {
  cudaGetLastError();  // nobody else is to hear of it
  return std::string(call) + " says: " + cudaGetErrorString(error);
}

// Why there is no device to look at; empty where there is.
std::string DriverFault() {
  int driver = 0;
  const cudaError_t driver_error = cudaDriverGetVersion(&driver);
  if (driver_error != cudaSuccess) return Said("cudaDriverGetVersion", driver_error);
  if (driver == 0) return "no NVIDIA driver is installed";
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    return "the NVIDIA driver is too old: it knows CUDA " + Version(driver) +
           ", this program needs " + Version(CUDART_VERSION);
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && devices == 0)) {
    cudaGetLastError();
    return "the NVIDIA driver shows no device";
  }
  return error == cudaSuccess ? "" : Said("cudaGetDeviceCount", error);
}

int32_t Attribute(cudaDeviceAttr attribute) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, attribute, kDevice) == cudaSuccess ? value : 0;
}

// What the runtime relies on; empty where it is there.
std::string DeviceFault(const GpuFound& gpu) {
  if (gpu.major < kLeastMajor) {
    return gpu.name + " has compute capability " + std::to_string(gpu.major) + "." +
           std::to_string(gpu.minor) + ", 8.0 is the least";
  }
  if (Attribute(cudaDevAttrUnifiedAddressing) == 0 || Attribute(cudaDevAttrCanMapHostMemory) == 0 ||
      Attribute(cudaDevAttrHostRegisterSupported) == 0 ||
      Attribute(cudaDevAttrCanUseHostPointerForRegisteredMem) == 0) {
    return gpu.name + " does not reach host memory at the host's addresses";
  }
  return "";
}

}  // namespace

GpuFound FindGpu() {
  GpuFound found;
  found.fault = DriverFault();
  if (!found.fault.empty()) return found;
  cudaDeviceProp properties;
  const cudaError_t error = cudaGetDeviceProperties(&properties, kDevice);
  if (error != cudaSuccess) {
    found.fault = Said("cudaGetDeviceProperties", error);
    return found;
  }
  found.name = properties.name;
  found.major = properties.major;
  found.minor = properties.minor;
  found.multiprocessors = properties.multiProcessorCount;
  found.threads_per_multiprocessor = properties.maxThreadsPerMultiProcessor;
  found.shared_bytes_of_block = static_cast<int32_t>(properties.sharedMemPerBlockOptin);
  found.memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  found.fault = DeviceFault(found);
  return found;
}

}  // namespace sluice::cuda
