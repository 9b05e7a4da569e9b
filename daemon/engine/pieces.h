// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/view.h"
#include "kernels/ops.h"

namespace sluice {

// A part of an attend: a range of the view's tokens.
struct Piece {
  int64_t first_token = 0;
  int64_t token_count = 0;
  int64_t cost_bytes = 0;
  int32_t mass_rule = -1;  // of its entries that keep scores; -1: none does
};

// What a piece may cost, unless its smallest cut is larger: a few milliseconds
// of the lane, which is what a decode step of somebody else waits for.
inline constexpr int64_t kPieceCostBytes = int64_t{256} << 20;

// Cuts the tokens `[first_token, first_token + token_count)` of a view into
// pieces of bounded cost, in order.
//
// Whole entries are put together up to the bound; an entry that costs more is
// cut alone, at multiples of a number of its tokens that depends on its own
// size only. So a row's result depends neither on what else is in the call nor
// on load. `row_slots[i]` is what a row of entry i holds at the most. `mass_rules[i]` is
// the rule by which its scores add up, -1 if it keeps none, as with no `mass_rules`: all
// of a piece have one.
std::vector<Piece> CutPieces(const StepView& view, const LayerShape& shape, int64_t element_bytes,
                             std::span<const int64_t> row_slots, int64_t first_token,
                             int64_t token_count, std::span<const int32_t> mass_rules = {});

}  // namespace sluice
