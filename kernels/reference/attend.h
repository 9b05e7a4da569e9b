// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// Attend of ops.h: for each query row a softmax in double over the whole row,
// in two plain passes. Thread-safe over disjoint outputs and scores.
void RunAttend(const PoolView& pool, const AttendArgs& args);

}  // namespace sluice::reference
