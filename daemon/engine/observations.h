// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "daemon/cache/step.h"
#include "kernels/core/observation.h"

namespace sluice {

class Core;
struct ModelState;
struct SequenceState;

// Where the observation rows of sequences lie (design: "Observation rows"): one ring a
// layer that owns a cache, in pool pages of a class of their own.
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

}  // namespace sluice
