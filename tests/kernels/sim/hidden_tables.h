// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/backend.h"
#include "kernels/make_backend.h"

namespace sluice::sim {

// The backend for a device that `make` makes, for tests that write tables where they please:
// before an operation it is told all of them if they changed, in a copy that the device has
// no other way to. Submit returns once the operation has passed.
//
// `options` has table_bytes and format_count; what pool.tables and pool.formats name may
// change until an operation is submitted.
std::unique_ptr<Backend> MakeWithHiddenTables(
    const BackendOptions& options,
    const std::function<std::unique_ptr<Backend>(const BackendOptions&)>& make);

// The same over emulated blocks (sim_backend.h). While a kernel runs nobody can touch the
// copy, and at no other time the device's memory: a kernel that reads the host's tables ends
// the process, and so does what reads the device's outside of kernels.
std::unique_ptr<Backend> MakeEmulatedWithHiddenTables(const BackendOptions& options,
                                                      uint64_t seed);

}  // namespace sluice::sim
