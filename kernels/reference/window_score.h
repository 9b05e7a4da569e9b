// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// WindowScore of ops.h: for each observation row a softmax in double over the
// whole row. Thread-safe over disjoint scores.
void RunWindowScore(const PoolView& pool, const WindowScoreArgs& args);

}  // namespace sluice::reference
