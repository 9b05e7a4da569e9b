// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/make_backend.h"

namespace sluice::cuda {

// The backend on the GPU of FindGpu, for the options of make_backend.h.
MadeBackend MakeCudaBackend(const BackendOptions& options);

}  // namespace sluice::cuda
