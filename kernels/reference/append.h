// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// Append of ops.h, token by token. Thread-safe over disjoint pages.
void RunAppend(const PoolView& pool, const AppendArgs& args);

}  // namespace sluice::reference
