// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/make_backend.h"

namespace sluice::cuda {

// The backend on the GPU of FindGpu, for the options of make_backend.h. REQUIRES: FindGpu
// finds one; the process ends with its sentence where not.
std::unique_ptr<Backend> MakeCudaBackend(const BackendOptions& options);

}  // namespace sluice::cuda
