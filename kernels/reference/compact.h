// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.h"

namespace sluice::reference {

// Compact, MoveScores, CopyScores and CopyPages of ops.h, slot by slot. Thread-safe over
// disjoint destinations.
void RunCompact(const PoolView& pool, const CompactArgs& args);
void RunMoveScores(const PoolView& pool, const MoveScoresArgs& args);
void RunCopyScores(const CopyScoresArgs& args);
void RunCopyPages(const PoolView& pool, const CopyPagesArgs& args);

}  // namespace sluice::reference
