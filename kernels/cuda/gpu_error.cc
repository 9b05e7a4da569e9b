// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/gpu_error.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::cuda {

void EndOnError(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "the GPU failed: %s: %s (%s)\n", call, cudaGetErrorString(error),
               cudaGetErrorName(error));
  std::abort();
}

}  // namespace sluice::cuda
