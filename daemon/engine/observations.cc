// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/observations.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daemon/base/reason.h"
#include "daemon/engine/core.h"
#include "daemon/engine/pool_pages.h"
#include "daemon/engine/state.h"

namespace sluice {
namespace {

bool ActsInDecode(const Policy& policy) {
  return policy.triggers().every_tokens.has_value() || policy.triggers().pressure;
}

// The first position whose row may be in the rings: later ones took the places of
// those before.
int64_t FirstInRings(const SequenceState& sequence) {
  const int64_t capacity = sequence.rings.has_value() ? sequence.rings->layout.capacity : 0;
  return std::max(sequence.observed_from, sequence.observed_end - capacity);
}

void WriteRingList(Core& core, SequenceState& sequence) {
  const Model& model = *sequence.model->model;
  const BlockId rings = *core.cached(sequence).observations();
  auto* const offsets =
      core.tables.Write<uint64_t>(sequence.ring_list, 0, model.layer_count());
  size_t page = 0;
  for (int32_t layer = 0; layer < model.layer_count(); ++layer) {
    offsets[layer] = kNoOffset;
    if (!model.owns_cache(layer)) continue;
    offsets[layer] = static_cast<uint64_t>(PageAt(core, rings, page++) -
                                           core.memory.pool.pool);
  }
  sequence.ring_list_written = true;
}

}  // namespace

absl::StatusOr<ObservationRings> MakeObservationRings(Core& core, const ModelState& model,
                                                      int64_t capacity) {
  const ModelGeometry& geometry = model.model->geometry();
  const int64_t slab_bytes = core.memory.pool.slab_bytes;
  const int64_t head_bytes = int64_t{geometry.query_heads} * geometry.k_dim;
  ObservationRings rings;
  if (capacity <= slab_bytes / head_bytes) {
    rings.layout = MakeObservationLayout(static_cast<int32_t>(capacity), geometry.query_heads,
                                         geometry.k_dim, geometry.dtype);
  }
  if (rings.layout.bytes == 0 || rings.layout.bytes > slab_bytes) {
    return RefuseField("policy.window_tokens",
                       absl::StrCat("the queries of ", capacity,
                                    " tokens, draft_tokens included, do not fit a slab of ",
                                    slab_bytes, " bytes"));
  }
  rings.pages.size_class =
      PagesOf(core, RoundUpToFewSizes(rings.layout.bytes, slab_bytes)).size_class;
  rings.pages.count = model.model->own_layer_count();
  return rings;
}

std::byte* ObservationRing(const Core& core, const SequenceState& sequence, BlockId rings,
                           int32_t layer) {
  return PageAt(core, rings, static_cast<size_t>(sequence.model->model->own_index(layer)));
}

int64_t ObservedRows(const SequenceState& sequence, int64_t length, int64_t window) {
  const int64_t first = std::max(FirstInRings(sequence), length - window);
  return std::max<int64_t>(std::min(length, sequence.observed_to) - first, 0);
}

bool KeepsObservations(const SequenceState& sequence, Phase phase) {
  return sequence.rings.has_value() &&
         (phase == Phase::kPrefill || ActsInDecode(*sequence.policy));
}

bool ReserveRingList(Core& core, SequenceState& sequence) {
  if (sequence.ring_list.bytes > 0) return true;
  const auto range = core.tables.Allocate(sequence.model->model->layer_count() *
                                          static_cast<int64_t>(sizeof(uint64_t)));
  if (!range.has_value()) return false;
  sequence.ring_list = *range;
  sequence.ring_list_written = false;
  return true;
}

void OpenRings(Core& core, SequenceState& sequence, const StepEntryGrant& grant) {
  const bool fresh = grant.new_observations.has_value();
  if (fresh || !sequence.ring_list_written) WriteRingList(core, sequence);
  if (fresh && !grant.observations_source.has_value()) sequence.observed_to = 0;
  CutObserved(sequence, grant.base_length);
  if (fresh || grant.base_length < sequence.observed_end) {
    const BlockId rings = *core.cached(sequence).observations();
    const BlockId source = grant.observations_source.value_or(rings);
    const bool has_source = !fresh || grant.observations_source.has_value();
    std::vector<RingCarry> carries;
    for (size_t page = 0; page < core.cache.BlockPages(rings).size(); ++page) {
      carries.push_back({has_source ? PageAt(core, source, page) : nullptr,
                         PageAt(core, rings, page)});
    }
    core.dispatcher.SubmitCarry(std::move(carries), sequence.rings->layout, grant.base_length);
  }
  sequence.observed_end = grant.base_length;
}

void BeginObserving(StepState& step) {
  if (std::exchange(step.rings_written, true)) return;
  for (const OpenEntry& entry : step.entries) {
    if (!KeepsObservations(*entry.sequence, entry.request.phase)) continue;
    entry.sequence->observed_end = entry.base_length + entry.request.token_count;
  }
}

void CountObserved(SequenceState& sequence, int64_t first, int64_t end) {
  if (sequence.observed_to < first) sequence.observed_from = first;
  sequence.observed_to = end;
}

void CutObserved(SequenceState& sequence, int64_t length) {
  sequence.observed_from = FirstInRings(sequence);
  sequence.observed_to = std::min(sequence.observed_to, length);
  sequence.observed_from = std::min(sequence.observed_from, sequence.observed_to);
}

void DropObservations(Core& core, SequenceState& sequence) {
  core.cache.DropObservations(sequence.handle);
  sequence.ring_list_written = false;
  sequence.observed_from = sequence.observed_to = sequence.observed_end = 0;
}

void DropSpentObservations(Core& core, SequenceState& sequence) {
  const Sequence& state = core.cached(sequence);
  if (!state.observations().has_value() || state.step_open() || sequence.job != nullptr) return;
  if (sequence.in_prefill || sequence.prefill_end_due || ActsInDecode(*sequence.policy)) return;
  DropObservations(core, sequence);
}

}  // namespace sluice
