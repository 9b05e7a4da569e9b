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

MadeBackend MakeCuda(const BackendOptions& options) { return cuda::MakeCudaBackend(options); }
#else
std::string CudaFault() { return "this program was built without CUDA"; }

MadeBackend MakeCuda(const BackendOptions& /*options*/) {
  return {"no GPU to run on: " + CudaFault(), false};
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

MadeBackend TryMakeBackend(const BackendOptions& options) {
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

std::unique_ptr<Backend> MakeBackend(const BackendOptions& options) {
  MadeBackend made = TryMakeBackend(options);
  if (made.backend != nullptr) return std::move(made.backend);
  std::fprintf(stderr, "%s\n", made.fault.c_str());
  std::abort();
}

}  // namespace sluice
