// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"
#include "kernels/make_backend.h"

namespace sluice::sim {

// The backend for devices over emulated blocks, for options as of a GPU's. Little memory for
// staging and scratch, so that operations wait for it and are cut; where one thread is asked
// for more of both, so that they are cut in another way.
std::unique_ptr<Backend> MakeEmulatedBackend(const BackendOptions& options, uint64_t seed);

}  // namespace sluice::sim
