// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/observe.h"

#include <algorithm>
#include <limits>

#include "kernels/core/number.h"
#include "kernels/core/observation.h"
#include "kernels/reference/slot.h"
#include "kernels/reference/step_tokens.h"

namespace sluice::reference {
namespace {

// Keeps query head `head` of a token: row `query_row` of the call.
void KeepHead(const ObserveArgs& args, const ObservationLayout& layout, int64_t query_row,
              int64_t position, int32_t head, std::byte* ring) {
  Vector q = LoadVector(args.q, args.dtype, query_row * layout.k_dim, layout.k_dim);
  for (float& value : q) value = RoundTo(layout.dtype, value);
  float lse = args.lse != nullptr ? args.lse[query_row] : FloatFromBits(kUnknownLseBits);
  if (!std::all_of(q.begin(), q.end(), IsFinite)) {
    std::fill(q.begin(), q.end(), 0.0f);
    lse = -std::numeric_limits<float>::infinity();
  }
  std::byte* kept = ring + ObservedQueryOffset(layout, position, head);
  for (int32_t dim = 0; dim < layout.k_dim; ++dim) StoreFloat(kept, layout.dtype, dim, q[dim]);
  reinterpret_cast<float*>(ring + ObservedLseOffset(layout, position))[head] = lse;
}

}  // namespace

void RunObserve(const PoolView& pool, const ObserveArgs& args) {
  const LayerShape& layer = *args.layer;
  for (const EntryToken& token : TokensOf(*args.view, args.first_token, args.token_count)) {
    const ViewEntry& entry = *token.entry;
    std::byte* ring = ObservationRingOf(pool, entry, layer.layer);
    const int64_t position = entry.base_length + token.index;
    const int64_t end = entry.base_length + entry.token_count;
    if (ring == nullptr || position < FirstObservedPosition(end, entry.observation_capacity)) {
      continue;
    }
    const ObservationLayout layout =
        ObservationLayoutOf(pool, entry, layer.q_heads, layer.k_dim);
    *reinterpret_cast<int32_t*>(ring + ObservedPositionOffset(layout, position)) =
        static_cast<int32_t>(position);
    for (int32_t head = 0; head < layer.q_heads; ++head) {
      const int64_t query_row = (token.step_token - args.first_token) * layer.q_heads + head;
      KeepHead(args, layout, query_row, position, head, ring);
    }
  }
}

void RunCarryObservations(const CarryObservationsArgs& args) {
  for (int64_t i = 0; i < args.ring_count; ++i) {
    CarryObservation(args.rings[i].source, args.layout, args.length, args.rings[i].ring);
  }
}

}  // namespace sluice::reference
