// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// Observe of ops.h, row by row. Thread-safe over disjoint rows of rings.
void RunObserve(const PoolView& pool, const ObserveArgs& args);

// CarryObservations of ops.h. Thread-safe over disjoint rings.
void RunCarryObservations(const CarryObservationsArgs& args);

}  // namespace sluice::reference
