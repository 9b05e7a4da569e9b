// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "daemon/cache/step.h"
#include "daemon/engine/command.h"
#include "kernels/core/observation.h"

namespace sluice {

class Core;
struct ModelState;
struct SequenceState;
struct StepState;

// Where the observation rows of sequences lie (design: "Observation rows"): one ring a
// layer that owns a cache, in pool pages of few sizes.
//
// Functions of the engine thread.

// What a sequence under a policy with a window keeps.
struct ObservationRings {
  ObservationLayout layout;  // of each ring
  ObservationPages pages;    // one a layer that owns a cache, in their order
};

// The rings of `capacity` rows each of a model's sequences.
// Errors: INVALID_ARGUMENT (FIELD_INVALID), policy.window_tokens: a ring is larger than
// a slab. REQUIRES: capacity >= 1.
absl::StatusOr<ObservationRings> MakeObservationRings(Core& core, const ModelState& model,
                                                      int64_t capacity);

// The ring of a layer that owns a cache. REQUIRES: `rings` are a block of such pages,
// of a sequence that keeps observation rows.
std::byte* ObservationRing(const Core& core, const SequenceState& sequence, BlockId rings,
                           int32_t layer);

// How many of the last `window` rows before `length` all rings of the sequence hold.
int64_t ObservedRows(const SequenceState& sequence, int64_t length, int64_t window);

// Whether a step of this phase writes the sequence's rings: in prefill, and in decode
// where its policy acts then.
bool KeepsObservations(const SequenceState& sequence, Phase phase);

// Makes room for the list of its rings that kernels read. False: the table segment is full.
bool ReserveRingList(Core& core, SequenceState& sequence);

// Makes the rings ready for a step that BeginStep granted: they hold what they held
// of the positions below its base length. REQUIRES: ReserveRingList; the step keeps
// observations.
void OpenRings(Core& core, SequenceState& sequence, const StepEntryGrant& grant);

// The step's first row is about to be written: those that stood in the places of its
// rows are lost, even if it is undone.
void BeginObserving(StepState& step);

// A step closed that kept the rows of the positions from `first` on to before `end`.
void CountObserved(SequenceState& sequence, int64_t first, int64_t end);

// A rollback: no row from `length` on counts any more.
void CutObserved(SequenceState& sequence, int64_t length);

// Gives up the rings, if there are any. REQUIRES: no step is open.
void DropObservations(Core& core, SequenceState& sequence);

// The same where no job is going to look at them: prefill is over, and the policy
// does not act in decode.
void DropSpentObservations(Core& core, SequenceState& sequence);

}  // namespace sluice
