// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// SumScores of ops.h, slot by slot. Thread-safe over disjoint outputs.
void RunSumScores(const PoolView& pool, const SumScoresArgs& args);

}  // namespace sluice::reference
