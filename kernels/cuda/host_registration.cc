// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/host_registration.h"

#include <cuda_runtime_api.h>
#include <unistd.h>

#include <mutex>

#include "kernels/cuda/gpu_error.h"
#include "kernels/cuda/host_pages.h"

namespace sluice::cuda {
namespace {

// Somebody else in the process may have registered the same memory, and unregistered it.
void Register(uintptr_t begin, uintptr_t end) {
  const cudaError_t error =
      cudaHostRegister(reinterpret_cast<void*>(begin), end - begin,
                       cudaHostRegisterMapped | cudaHostRegisterPortable);
  if (error == cudaErrorHostMemoryAlreadyRegistered) {
    cudaGetLastError();
    return;
  }
  EndOnError(error, "cudaHostRegister");
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
  HostPages pages{sysconf(_SC_PAGESIZE), Register, Unregister};
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
  registered.pages.Hold(begin_, bytes_);
}

HostRegistration::~HostRegistration() {
  Registered& registered = TheRegistered();
  const std::lock_guard<std::mutex> lock(registered.mutex);
  registered.pages.Release(begin_, bytes_);
}

}  // namespace sluice::cuda
