// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// An item of an Attend's plan: a run of chunks of a unit that a block reduces. And how the
// runs of a unit become its answers.

#include <math.h>

#include <cstdint>

#include "kernels/device/attend_answers.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/item_search.h"

namespace sluice::device {

struct UnitItem {
  AttendUnit unit;
  int32_t number = 0;       // of the unit
  int32_t first_chunk = 0;
  int32_t last_chunk = 0;   // one past
  int32_t state_chunk = 0;  // the unit's first chunk with a state of its own
  bool folds = false;       // it is the unit's first item
  bool cut = false;         // the unit has others
};

SLUICE_HD inline UnitItem MakeUnitItem(const AttendPlan& plan, int32_t unit_count, int64_t index) {
  const AttendUnit& unit = RecordOf(plan.units, unit_count, index,
                                    [](const AttendUnit& u) { return u.first_item; });
  const int32_t item_chunks = plan.totals->item_chunks;
  const int32_t in_unit = static_cast<int32_t>(index) - unit.first_item;
  UnitItem item;
  item.unit = unit;
  item.number = static_cast<int32_t>(&unit - plan.units);
  item.first_chunk = unit.first_chunk + in_unit * item_chunks;
  const int32_t end = item.first_chunk + item_chunks;
  item.last_chunk = end < unit.last_chunk ? end : unit.last_chunk;
  item.state_chunk = unit.first_chunk + item_chunks;
  item.folds = in_unit == 0;
  item.cut = unit.first_state >= 0;
  return item;
}

// State `index` of the item's unit (AttendPlan). REQUIRES: item.cut.
SLUICE_HD inline float* StateAt(const AttendPlan& plan, const UnitItem& item, int32_t index,
                                int32_t v_dim) {
  return plan.states + item.unit.first_state + index * StateFloats(item.unit.queries, v_dim);
}

// What the query rows of a unit got, in shared memory.
struct UnitSums {
  float* max;      // [query rows], in units of log2
  float* sum;      // likewise; 0: the row saw nothing
  float* factors;  // likewise; to work with
  float* values;   // [query rows, stride], 16-byte aligned
  int32_t stride;  // a multiple of 4
};

// Calls function(query, dim) for the thread's share of [queries, v_dim], 4 dims at a time.
template <class Block, class Function>
SLUICE_HD void ForEachFour(Block& block, int32_t queries, int32_t v_dim,
                           const Function& function) {
  const int32_t warps = block.threads() / kWarpThreads;
  for (int32_t query = block.thread() / kWarpThreads; query < queries; query += warps) {
    for (int32_t dim = 4 * block.lane(); dim < v_dim; dim += 4 * kWarpThreads) {
      function(query, dim);
    }
  }
}

// Whether the states of the item's unit are all there; then they are folded, in order. The
// whole block. REQUIRES: item.cut; the block has stored the item's states.
template <class Block>
SLUICE_HD bool FoldStates(Block& block, const AttendPlan& plan, const UnitItem& item,
                          int32_t v_dim, const UnitSums& sums) {
  const auto items = static_cast<uint32_t>(ItemsOf(item.unit, plan.totals->item_chunks));
  if (!block.ArriveLast(&plan.units[item.number].arrivals, items)) return false;
  const int32_t rows = StateRows(item.unit.queries);
  const int32_t count = 1 + item.unit.last_chunk - item.state_chunk;
  ForEachOfBlock(block, item.unit.queries, [&](int64_t query) {
    Softmax softmax;
    for (int32_t i = 0; i < count; ++i) {
      const float* const from = StateAt(plan, item, i, v_dim);
      softmax.max = from[query];
      softmax.sum = from[rows + query];
      FoldChunk(&softmax);
    }
    sums.max[query] = softmax.folded_max;
    sums.sum[query] = softmax.folded_sum;
  });
  ForEachFour(block, item.unit.queries, v_dim, [&](int32_t query, int32_t dim) {
    float max = -HUGE_VALF;
    float four[4] = {};
    for (int32_t s = 0; s < count; ++s) {
      const float* const from = StateAt(plan, item, s, v_dim);
      const float larger = from[query] > max ? from[query] : max;
      const float before = Rescale(max, larger);
      const float now = Rescale(from[query], larger);
      const float* const values = from + 2 * rows + query * v_dim + dim;
      SLUICE_UNROLL
      for (int32_t d = 0; d < 4; ++d) four[d] = FoldSum(four[d], before, values[d], now);
      max = larger;
    }
    SLUICE_UNROLL
    for (int32_t d = 0; d < 4; ++d) sums.values[query * sums.stride + dim + d] = four[d];
  });
  return true;
}

// Writes the answers of a unit, and its log-sum-exps where the plan wants them. The whole
// block. REQUIRES: all threads see the sums.
template <class Block>
SLUICE_HD void WriteAnswers(Block& block, const AttendCall& call, const AttendPlan& plan,
                            const AttendAnswers& answers, const UnitItem& item,
                            const UnitSums& sums) {
  const int32_t unit_rows = call.EntryOf(item.unit.row).unit_rows;
  const auto call_query = [&](int32_t query) {
    return call.CallQuery(item.unit.row, item.unit.first_query + query);
  };
  ForEachOfBlock(block, item.unit.queries, [&](int64_t i) {
    float log_sum = HUGE_VALF;
    sums.factors[i] = answers.Conclude(call.layer, call_query(static_cast<int32_t>(i)),
                                       sums.max[i], sums.sum[i], &log_sum);
    if (plan.log_sums != nullptr) plan.log_sums[int64_t{item.number} * unit_rows + i] = log_sum;
  });
  block.Sync();
  const int32_t v_dim = call.layer.v_dim;
  ForEachFour(block, item.unit.queries, v_dim, [&](int32_t query, int32_t dim) {
    const float factor = sums.factors[query];
    const float* const values = sums.values + query * sums.stride + dim;
    float four[4];
    SLUICE_UNROLL
    for (int32_t d = 0; d < 4; ++d) four[d] = factor == 0.0f ? 0.0f : values[d] * factor;
    StoreFour(answers.out, call.dtype, call_query(query) * v_dim + dim, four);
  });
}

}  // namespace sluice::device
