// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_error.h"

#include <string>

namespace sluice::cuda {
namespace {

// "out of memory (cudaErrorMemoryAllocation)"
std::string TextOf(cudaError_t error) {
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

}  // namespace

void EndOnError(cudaError_t error, const char* call) {
  if (error != cudaSuccess) device::EndLostDevice(call, TextOf(error).c_str());
}

device::DeviceFault FaultOf(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // nobody else is to hear of it
  return {std::string(call) + ": " + TextOf(error), error == cudaErrorMemoryAllocation};
}

}  // namespace sluice::cuda
