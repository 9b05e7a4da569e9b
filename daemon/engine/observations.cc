// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/observations.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/engine/core.h"
#include "daemon/engine/state.h"

namespace sluice {
namespace {

constexpr int64_t kPageAlignment = 128;

// The layers of a model that own a cache, below `layer`.
int32_t OwnersBelow(const Model& model, int32_t layer) {
  int32_t owners = 0;
  for (int32_t i = 0; i < layer; ++i) owners += model.owns_cache(i) ? 1 : 0;
  return owners;
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
  const int64_t page_bytes = RoundUp(rings.layout.bytes, kPageAlignment);
  if (page_bytes == 0 || page_bytes > slab_bytes) {
    return RefuseField("policy.window_tokens",
                       absl::StrCat("the queries of ", capacity,
                                    " tokens, draft_tokens included, do not fit a slab of ",
                                    slab_bytes, " bytes"));
  }
  const int64_t pages = std::min(slab_bytes / page_bytes, kMaxPagesPerSlab);
  rings.pages.size_class = core.cache.AddSizeClass(pages, page_bytes, /*page_size=*/1);
  rings.pages.count = OwnersBelow(*model.model, model.model->layer_count());
  return rings;
}

std::byte* ObservationRing(const Core& core, const SequenceState& sequence, BlockId rings,
                           int32_t layer) {
  const auto place = static_cast<size_t>(OwnersBelow(*sequence.model->model, layer));
  const uint32_t page = core.cache.BlockPages(rings)[place].value;
  const int64_t page_bytes = RoundUp(sequence.rings->layout.bytes, kPageAlignment);
  return SlabOf(core.memory.pool, page) + PageIndex(page) * page_bytes;
}

int64_t ObservedRows(const SequenceState& sequence, int64_t length, int64_t window) {
  const int64_t first = std::max(sequence.observed_from, length - window);
  return std::max<int64_t>(std::min(length, sequence.observed_to) - first, 0);
}

}  // namespace sluice
