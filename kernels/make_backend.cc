// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/make_backend.h"

#include <cstdio>
#include <cstdlib>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference/reference_backend.h"
#if SLUICE_WITH_CUDA
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/find_gpu.h"
#endif

namespace sluice {
namespace {

#if SLUICE_WITH_CUDA
std::string CudaFault() { return cuda::FindGpu().fault; }

std::unique_ptr<Backend> MakeCuda(const BackendOptions& options) {
  return cuda::MakeCudaBackend(options);
}
#else
std::string CudaFault() { return "this program was built without CUDA"; }

std::unique_ptr<Backend> MakeCuda(const BackendOptions& /*options*/) {
  std::fprintf(stderr, "no GPU to run on: %s\n", CudaFault().c_str());
  std::abort();
}
#endif

}  // namespace

std::string BackendFault(BackendKind kind) {
  return kind == BackendKind::kCuda ? CudaFault() : "";
}

std::vector<Arithmetic> ArithmeticsOf(BackendKind kind) {
  if (kind == BackendKind::kCuda) return {Arithmetic::kFp32, Arithmetic::kBf16};
  return {Arithmetic::kFp32};
}

std::unique_ptr<Backend> MakeBackend(const BackendOptions& options) {
  switch (options.kind) {
    case BackendKind::kReference:
      return std::make_unique<ReferenceBackend>(options.pool, options.signal);
    case BackendKind::kCpu:
      return std::make_unique<CpuBackend>(
          CpuBackend::Options{options.pool, options.threads, options.signal});
    case BackendKind::kCuda:
      return MakeCuda(options);
  }
  std::abort();
}

}  // namespace sluice
