// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
//
// Runs a command where there is a GPU that the backend runs on. Where there is none, says
// why in a line and exits with 77, which ctest takes for a test that was skipped.
//
//   gpu_run COMMAND ARGUMENT...

#include <unistd.h>

#include <cstdio>

#include "kernels/cuda/find_gpu.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  const sluice::cuda::GpuFound gpu = sluice::cuda::FindGpu();
  if (!gpu.fault.empty()) {
    std::printf("skipped: %s\n", gpu.fault.c_str());
    return kSkipped;
  }
  if (argc < 2) {
    std::printf("%s, sm_%d%d\n", gpu.name.c_str(), gpu.major, gpu.minor);
    return 0;
  }
  execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 1;
}
