// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// Export and Import of ops.h, slot by slot. Thread-safe over disjoint
// destinations.
void RunExport(const PoolView& pool, const ExportArgs& args);
void RunImport(const PoolView& pool, const ImportArgs& args);

}  // namespace sluice::reference
