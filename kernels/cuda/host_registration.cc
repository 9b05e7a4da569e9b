// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_registration.h"

#include <cuda_runtime_api.h>
#include <unistd.h>

#include <mutex>
#include <string>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/host_pages.h"

namespace sluice::cuda {
namespace {

// Somebody else in the process may have registered the same memory, and unregistered it.
cudaError_t Register(uintptr_t begin, uintptr_t end) {
  const cudaError_t error =
      cudaHostRegister(reinterpret_cast<void*>(begin), end - begin,
                       cudaHostRegisterMapped | cudaHostRegisterPortable);
  if (error != cudaErrorHostMemoryAlreadyRegistered) return error;
  cudaGetLastError();
  return cudaSuccess;
}

void Unregister(uintptr_t begin, uintptr_t /*end*/) {
  const cudaError_t error = cudaHostUnregister(reinterpret_cast<void*>(begin));
  if (error == cudaErrorHostMemoryNotRegistered) {
    cudaGetLastError();
    return;
  }
  EndOnError(error, "cudaHostUnregister");
}

// What the process has registered: its registrations are the driver's, not an object's.
struct Registered {
  std::mutex mutex;
  cudaError_t error = cudaSuccess;  // the newest
  HostPages pages{sysconf(_SC_PAGESIZE),
                  [this](uintptr_t begin, uintptr_t end) {
                    error = Register(begin, end);
                    return error == cudaSuccess;
                  },
                  Unregister};
};

Registered& TheRegistered() {
  static auto* registered = new Registered;
  return *registered;
}

}  // namespace

HostRegistration::HostRegistration(const void* memory, int64_t bytes)
    : begin_(reinterpret_cast<uintptr_t>(memory)), bytes_(bytes) {
  Registered& registered = TheRegistered();
  const std::lock_guard<std::mutex> lock(registered.mutex);
  if (registered.pages.Hold(begin_, bytes_)) return;
  fault_ = FaultOf(registered.error, "cudaHostRegister");
  fault_.text += ", of " + std::to_string(bytes_) + " bytes of host memory";
}

HostRegistration::~HostRegistration() {
  if (!fault_.empty()) return;
  Registered& registered = TheRegistered();
  const std::lock_guard<std::mutex> lock(registered.mutex);
  registered.pages.Release(begin_, bytes_);
}

}  // namespace sluice::cuda
