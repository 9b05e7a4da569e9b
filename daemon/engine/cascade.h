// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/cache/cache.h"
#include "daemon/engine/command.h"
#include "daemon/policy/policy.h"
#include "kernels/core/ring.h"
#include "kernels/core/view.h"

namespace sluice {

class Core;
struct SequenceState;

// What a step does to a sequence under a cascade (design: "Cascade has no jobs"): its
// tokens go to the tail, the pending chunk, which moves into the body where the stride
// ends, where prefill ends and after a decode step. So a step is a list of runs.
//
// Functions of the engine thread.

// Tokens of a step that join one pending chunk.
struct CascadeRun {
  int64_t first_token = 0;           // of the entry's
  int64_t token_count = 0;           // 0: what is pending moves before the step's first token
  int64_t chunk_first_position = 0;  // tokens below are in the body by then
  // Where that token lies: slot `tail_start` of this block of the tail's.
  int64_t first_block = 0;
  int32_t tail_start = 0;
  bool inserts = false;  // the chunk moves into the body behind it
};

struct CascadeStep {
  std::vector<CascadeRun> runs;  // in order; each but the last inserts
  BodyWrites writes;
  Cache::TailMove end;
  int64_t tail_blocks = 0;  // of the list while the step is open
  int64_t body_blocks = 0;

  // Something of it goes to the body: each run but the last does.
  bool moves() const { return runs.size() > 1 || runs[0].inserts; }
  // Its tokens are one run, whose view is the sequence's as it is.
  bool is_whole() const { return runs.size() == 1; }
};

// Null where the policy is no cascade.
std::shared_ptr<const CascadeGeometry> MakeCascadeGeometry(const Policy& policy);

// REQUIRES: the entry begins at the sequence's length.
CascadeStep PlanCascade(const CascadeGeometry& geometry, const Sequence& state,
                        const StepEntry& entry);

// Bytes of tables, a multiple of 8, that kernels read of a sequence with so many blocks.
int64_t CascadeTableBytes(int64_t tail_blocks, int64_t body_blocks);

// Writes them at `at` for the sequence as it is, and where they are into its entry.
// REQUIRES: there is room for them; `at` lies in the tables, at a multiple of 8.
void WriteCascade(const Core& core, const SequenceState& sequence, std::byte* at,
                  ViewEntry& entry);

}  // namespace sluice
