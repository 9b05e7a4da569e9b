// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/backend.h"
#include "kernels/make_backend.h"

namespace sluice::sim {

// The emulated backend (sim_backend.h) for tests that write tables where they please: before
// each operation it is told all of them, in a copy, and while a kernel runs nobody can touch
// that copy. So a kernel that reads the host's tables, not the device's, ends the process.
//
// `options` has table_bytes and format_count; pool.tables and pool.formats may change until
// an operation is submitted. Submit returns once the operation has passed.
std::unique_ptr<Backend> MakeBackendWithHiddenTables(const BackendOptions& options,
                                                     uint64_t seed);

}  // namespace sluice::sim
