// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/pieces.h"

#include <algorithm>

namespace sluice {
namespace {

// Bytes read and arithmetic meet where a core does about four flops a byte.
constexpr int64_t kFlopsPerByte = 4;
// Query rows of a kv head are computed 64 at a time.
constexpr int64_t kTileQueryRows = 64;

// Cost of one query token of an entry over `slots` slots of every kv head.
int64_t TokenCost(const LayerShape& shape, int64_t slots) {
  const int64_t flops = 2 * slots * shape.q_heads * (shape.k_dim + shape.v_dim);
  return flops / kFlopsPerByte;
}

int64_t ReadCost(const LayerShape& shape, int64_t element_bytes, int64_t slots) {
  return slots * shape.kv_heads * (shape.k_dim + shape.v_dim) * element_bytes;
}

int64_t SeenSlots(const LayerShape& shape, int64_t slots, int64_t tokens) {
  return shape.window > 0 ? std::min(slots, int64_t{shape.window} + tokens) : slots;
}

bool AreTwoRules(int32_t one, int32_t other) { return one >= 0 && other >= 0 && one != other; }

}  // namespace

std::vector<Piece> CutPieces(const StepView& view, const LayerShape& shape, int64_t element_bytes,
                             std::span<const int64_t> row_slots, int64_t first_token,
                             int64_t token_count, std::span<const int32_t> mass_rules) {
  std::vector<Piece> pieces;
  const int64_t end_token = first_token + token_count;
  const int64_t tile_tokens =
      std::max<int64_t>(1, kTileQueryRows * shape.kv_heads / shape.q_heads);
  bool open = false;  // the last piece takes further whole entries
  const ViewEntry* const end = view.entries + view.entry_count;
  const ViewEntry* entry = std::partition_point(view.entries, end, [&](const ViewEntry& before) {
    return before.first_token + before.token_count <= first_token;
  });
  for (; entry != end && entry->first_token < end_token; ++entry) {
    const int64_t from = std::max(entry->first_token, first_token);
    const int64_t to = std::min(entry->first_token + entry->token_count, end_token);
    const auto index = static_cast<size_t>(entry - view.entries);
    const int64_t most_slots = row_slots[index];
    const int32_t rule = mass_rules.empty() ? -1 : mass_rules[index];
    const int64_t slots = SeenSlots(shape, most_slots, to - from);
    const int64_t token_cost = std::max<int64_t>(1, TokenCost(shape, slots));
    const int64_t cost =
        std::max(ReadCost(shape, element_bytes, slots), token_cost * (to - from));
    if (cost <= kPieceCostBytes) {
      if (!open || pieces.back().cost_bytes + cost > kPieceCostBytes ||
          AreTwoRules(pieces.back().mass_rule, rule)) {
        pieces.push_back({from, 0, 0, rule});
      }
      pieces.back().mass_rule = std::max(pieces.back().mass_rule, rule);
      pieces.back().token_count += to - from;
      pieces.back().cost_bytes += cost;
      open = true;
      continue;
    }
    const int64_t tiles = std::max<int64_t>(1, kPieceCostBytes / (token_cost * tile_tokens));
    for (int64_t token = from; token < to; token += tiles * tile_tokens) {
      const int64_t count = std::min(tiles * tile_tokens, to - token);
      pieces.push_back({token, count, token_cost * count, rule});
    }
    open = false;
  }
  return pieces;
}

}  // namespace sluice
