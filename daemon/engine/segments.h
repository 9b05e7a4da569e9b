// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice {

class Core;
struct StepState;

// The segments of a step with entries under a cascade: runs of entries whose tokens are
// one run each, and the others' runs one by one.
//
// Functions of the engine thread.

// Bytes of tables, a multiple of 8, beside the step's view.
int64_t SegmentTableBytes(const StepState& step);

// Writes what the entries under a cascade have in the tables, completes their entries of
// the view, and makes the segments. REQUIRES: `at` has SegmentTableBytes, at a multiple of
// 8; the step's view, row_slots and entry_rules are complete but for that.
void MakeSegments(const Core& core, std::byte* at, StepState& step);

}  // namespace sluice
