// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/append.h"

#include <cmath>

#include "kernels/core/number.h"
#include "kernels/reference/slot.h"
#include "kernels/reference/step_tokens.h"
#include "kernels/reference/turn.h"

namespace sluice::reference {
namespace {

// The tail slot that a position of an entry's row lies in.
SlotPlace TailPlace(const PoolView& pool, const ViewEntry& entry, int32_t row, int64_t position) {
  Span span;
  span.block_list = reinterpret_cast<const uint32_t*>(pool.tables + entry.block_list_offset);
  span.table_words = reinterpret_cast<const uint32_t*>(pool.tables);
  span.row = row;
  span.first_slot = entry.tail_start;
  span.format = pool.formats + entry.tail_format;
  return PlaceInSpan(span, position - entry.tail_first_position);
}

void AppendToken(const PoolView& pool, const AppendArgs& args, const EntryToken& token) {
  const LayerShape& layer = *args.layer;
  const int64_t position = token.entry->base_length + token.index;
  for (int32_t head = 0; head < layer.kv_heads; ++head) {
    const int64_t vector = (token.step_token - args.first_token) * layer.kv_heads + head;
    const SlotPlace place = TailPlace(pool, *token.entry, layer.first_row + head, position);
    const Vector k = LoadVector(args.k, args.k_dtype, vector * layer.k_dim, layer.k_dim);
    const SlotContent content = MakeContent(
        place.format->page, KeyToStore(place.format->page, layer.rope, k, position),
        LoadVector(args.v, args.v_dtype, vector * layer.v_dim, layer.v_dim), position, 0.0f);
    if (place.slot == 0) ClearPage(pool, *place.format, place.page);
    WriteSlot(pool, place, content);
    if (!IsFinite(content.log_mass) && args.non_finite_count != nullptr) ++*args.non_finite_count;
  }
}

}  // namespace

void RunAppend(const PoolView& pool, const AppendArgs& args) {
  for (const EntryToken& token : TokensOf(*args.view, args.first_token, args.token_count)) {
    AppendToken(pool, args, token);
  }
}

}  // namespace sluice::reference
