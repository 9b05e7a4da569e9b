// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// KeyNormScore of ops.h.
void RunKeyNormScore(const PoolView& pool, const KeyNormScoreArgs& args);

// Select of ops.h: sorts every segment's slots by the rule and walks down the
// order. Thread-safe over disjoint outputs.
void RunSelect(const PoolView& pool, const SelectArgs& args);

}  // namespace sluice::reference
