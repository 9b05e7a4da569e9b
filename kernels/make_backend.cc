// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/make_backend.h"

#include <cstdlib>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/reference/reference_backend.h"

namespace sluice {

std::unique_ptr<Backend> MakeBackend(const BackendOptions& options) {
  switch (options.kind) {
    case BackendKind::kReference:
      return std::make_unique<ReferenceBackend>(options.pool, options.signal);
    case BackendKind::kCpu:
      return std::make_unique<CpuBackend>(
          CpuBackend::Options{options.pool, options.threads, options.signal});
  }
  std::abort();
}

}  // namespace sluice
