// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "daemon/cache/step.h"
#include "daemon/engine/pool_pages.h"
#include "daemon/policy/policy.h"
#include "daemon/policy/window_score.h"
#include "kernels/core/view.h"
#include "kernels/ops.h"

namespace sluice {

class Core;
class Model;
struct ModelState;
struct SequenceState;
struct StepState;

// Where the accumulated scores of sequences lie (design: "Accumulated scores"): for
// each block of the tail a pool page fp32 [rows, page_size], and one for the body.
//
// Functions of the engine thread.

GroupReduce ReduceOf(HeadReduce reduce);

// The pages of a model's tails, where each slot has the scores of such a policy. Of
// a body that is written in place they are the same.
// Errors: INVALID_ARGUMENT (FIELD_INVALID), policy.preset: one does not fit a slab;
// (NOT_IN_VERSION), policy.parameters.group_reduce: layers need pages of different sizes.
// REQUIRES: the policy accumulates scores.
absl::StatusOr<PageClass> TailScorePage(Core& core, const ModelState& model,
                                        const PolicyNeeds& needs);

// Whether a policy's jobs will have room for the scores of what they keep.
// Errors: INVALID_ARGUMENT (FIELD_INVALID), policy.parameters.heavy_tokens or budget_tokens:
// those of a whole body do not fit a slab.
absl::Status CheckBodyScores(const Core& core, const Model& model, const Policy& policy);

// The page of a body of at most `body_pages` pages; nothing where the sequence keeps no
// scores, or for no pages.
// Errors: RESOURCE_EXHAUSTED (POOL_FULL): it does not fit a slab.
absl::StatusOr<std::optional<PageClass>> BodyScorePage(Core& core, const SequenceState& sequence,
                                                       int64_t body_pages);

// The bytes of that page; 0: there is none. Errors: as BodyScorePage.
absl::StatusOr<int64_t> BodyScoreBytes(const Core& core, const SequenceState& sequence,
                                       int64_t body_pages);

// Of the scores of a tail of so many blocks and a body of at most so many pages.
int64_t ScoreBytes(const Core& core, const SequenceState& sequence, int64_t tail_blocks,
                   int64_t body_pages);

// Where page `page` of a block of scores lies in the pool.
uint64_t ScoreOffset(const Core& core, BlockId scores, size_t page);

// Adds the rule of the step's next entry: those of one rule can be attended to together.
void AddMassRule(const Core& core, const SequenceState& sequence, StepState& step);

// Makes room for `block_count` blocks in the list of its score pages that kernels read.
// False, with the list as it was, if the table segment is full.
bool ReserveScoreList(Core& core, SequenceState& sequence, int64_t block_count);

// Writes the list from block `first` on. REQUIRES: there is room; it keeps scores.
void WriteScoreList(Core& core, SequenceState& sequence, int64_t first);

// Makes the scores ready for a step that BeginStep granted: those that were others' too
// are copied. REQUIRES: as WriteScoreList.
void OpenScores(Core& core, SequenceState& sequence, const StepEntryGrant& grant);

// Where kernels find the sequence's scores; nowhere if it keeps none.
void FillScores(const Core& core, const SequenceState& sequence, ViewEntry& entry);

}  // namespace sluice
