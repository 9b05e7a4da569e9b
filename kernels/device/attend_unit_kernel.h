// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Attend of ops.h over units of up to 16 query rows, whatever multiplies.
//
// An item is a run of chunks of a unit (attend_plan_kernels.h). Keys and values of a tile come
// through shared memory, values while logits are computed, the next keys while values are
// added. Where there is no room for both, each waits until the other is done with. A chunk is
// reduced in registers from the empty state, and chunks fold in order.

#include <cstdint>

#include "kernels/device/attend_answers.h"
#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/query_tiles.h"
#include "kernels/device/tile_cursor.h"
#include "kernels/device/tile_state.h"
#include "kernels/device/unit_item.h"

namespace sluice::device {

// The products of a unit's query rows with keys, and of their weights with values, are
// `Products`' matter. It has `UnitTiles tiles`, of which layout.sums has room for
// [unit rows, v_dim], and
//
//   struct Values      a thread's share of the sums [16, v_dim], 0 at first
//   kRun               the sums of a thread are of as many neighbouring dims
//   void LoadQueries(block, row, first_query, queries)         as UnitTiles::LoadQueries
//   void PrepareKeys(block, row)                               once a tile, before WriteDots
//   void WriteDots(block, row, queries, span, tile)            as UnitTiles::WriteDots
//   float Logit(state, query, slot, dot)                       as UnitTiles::Logit
//   void StoreWeight(block, query, slot, weight)               to where AddValues looks for it
//   void AddValues(block, queries, place, Values*)             values = values *
//                      state.factors + weights * the tile's, row by row
//   void ForEachRun(block, queries, values, function)          calls function(run, query, dim)
//                      for the thread's sums: run[0 .. kRun - 1] are of dim and those behind
template <class Products>
struct AttendUnitKernel {
  Products products;
  AttendPlan plan;
  AttendAnswers answers;

  static constexpr int32_t kThreads = kUnitThreads;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t items = plan.totals->items;
    for (int64_t item = block.index(); item < items; item += block.count()) {
      RunItem(block, MakeUnitItem(plan, call().unit_count, item));
      block.Sync();
    }
  }

 private:
  static constexpr int32_t kRowThreads = kThreads / kUnitRows;  // that reduce a query row
  static constexpr int32_t kThreadSlots = kTileSlots / kRowThreads;

  using Values = typename Products::Values;

  SLUICE_HD const AttendCall& call() const { return products.tiles.call; }

  template <class Block>
  SLUICE_HD void RunItem(Block& block, const UnitItem& item) const {
    SetUp(block, item);
    Reduce(block, item);
    const UnitSums sums = Sums(block);
    if (item.cut && !FoldStates(block, plan, item, call().layer.v_dim, sums)) return;
    block.Sync();
    WriteAnswers(block, call(), plan, answers, item, sums);
  }

  template <class Block>
  SLUICE_HD void SetUp(Block& block, const UnitItem& item) const {
    UnitState& state = State(block);
    MakeRowTiles(block, call(), item.unit.row, &state.tiles);
    FindVisible(block, call(), item.unit.first_query, item.unit.queries, &state);
    products.LoadQueries(block, item.unit.row, item.unit.first_query, item.unit.queries);
    if (item.folds) {
      ForEachOfBlock(block, item.unit.queries, [&](int64_t i) {
        if (state.finite[i] == 0 && answers.non_finite != nullptr) {
          block.AtomicAdd(answers.non_finite, uint64_t{1});
        }
      });
      const int32_t v_dim = call().layer.v_dim;
      ForEachFour(block, item.unit.queries, v_dim, [&](int32_t query, int32_t dim) {
        SLUICE_UNROLL
        for (int32_t d = 0; d < 4; ++d) Folded(block)[query * v_dim + dim + d] = 0.0f;
      });
      return;
    }
    for (int32_t chunk = item.first_chunk; chunk < item.last_chunk; ++chunk) {
      if (!TilesOfChunk(state.tiles, state.visible, chunk).empty()) continue;
      StoreChunk(block, item, chunk, Softmax(), Values());
    }
  }

  template <class Block>
  SLUICE_HD void Reduce(Block& block, const UnitItem& item) const {
    UnitState& state = State(block);
    const bool waits = products.tiles.layout.waits;
    Values values;
    Softmax softmax;
    int32_t place = 0;
    TileCursor at = NextSeenTile(state.tiles, state.visible, item.first_chunk, item.last_chunk);
    if (!at.empty()) {
      LocateTile(block, call(), state, at, &state.places[place]);
      block.Sync();
      products.tiles.CopyKeys(block, at, state.places[place]);
    }
    block.CommitCopies();
    while (!at.empty()) {
      const TileCursor next = AdvanceTile(state.tiles, state.visible, at, item.last_chunk);
      block.template WaitCopies<0>();
      block.Sync();
      const TilePlace& here = state.places[place];
      if (!waits) products.tiles.CopyValues(block, at, here);
      block.CommitCopies();
      NoteSlots(block, call(), at.span, at.tile, here, &state);
      if (!next.empty()) LocateTile(block, call(), state, next, &state.places[place ^ 1]);
      products.PrepareKeys(block, item.unit.row);
      products.WriteDots(block, item.unit.row, item.unit.queries, at.span, at.tile);
      block.Sync();
      if (waits) {
        products.tiles.CopyValues(block, at, here);
      } else if (!next.empty()) {
        products.tiles.CopyKeys(block, next, state.places[place ^ 1]);
      }
      block.CommitCopies();
      const bool ends = next.empty() || next.chunk != at.chunk;
      Weigh(block, item, ends, &softmax);
      block.template WaitCopies<1>();
      if (waits) block.template WaitCopies<0>();
      block.Sync();
      products.AddValues(block, item.unit.queries, here, &values);
      if (waits && !next.empty()) {
        block.Sync();
        products.tiles.CopyKeys(block, next, state.places[place ^ 1]);
        block.CommitCopies();
      }
      if (ends) EndChunk(block, item, at.chunk, &softmax, &values);
      at = next;
      place ^= 1;
    }
    block.template WaitCopies<0>();
    if (item.folds) EndFold(block, item, softmax);
  }

  // Turns the dots of a tile into weights, and notes by what the sums so far change.
  template <class Block>
  SLUICE_HD void Weigh(Block& block, const UnitItem& item, bool ends, Softmax* softmax) const {
    UnitState& state = State(block);
    const int32_t query = block.thread() / kRowThreads;
    const int32_t first = block.thread() % kRowThreads;
    const float* const dots = Dots(block) + query * kWeightStride;
    float logits[kThreadSlots];
    float max = softmax->max;
    SLUICE_UNROLL
    for (int32_t i = 0; i < kThreadSlots; ++i) {
      const int32_t slot = first + i * kRowThreads;
      logits[i] = query < item.unit.queries ? products.Logit(state, query, slot, dots[slot])
                                            : -HUGE_VALF;
      max = logits[i] > max ? logits[i] : max;
    }
    for (int32_t mask = kRowThreads / 2; mask > 0; mask /= 2) {
      const float other = block.ShuffleXor(max, mask);
      max = other > max ? other : max;
    }
    float sum = 0.0f;
    SLUICE_UNROLL
    for (int32_t i = 0; i < kThreadSlots; ++i) {
      const float weight = Rescale(logits[i], max);
      products.StoreWeight(block, query, first + i * kRowThreads, weight);
      sum += weight;
    }
    for (int32_t mask = kRowThreads / 2; mask > 0; mask /= 2) sum += block.ShuffleXor(sum, mask);
    const float factor = Rescale(softmax->max, max);
    softmax->sum = softmax->sum * factor + sum;
    softmax->max = max;
    if (first == 0) state.factors[query] = factor;
    if (!ends || !item.folds) return;
    const FoldFactors factors = FoldChunk(softmax);
    if (first != 0) return;
    state.fold_factors[0][query] = factors.before;
    state.fold_factors[1][query] = factors.now;
  }

  // Folds the chunk into those before, or leaves it as a state; then nothing is summed.
  template <class Block>
  SLUICE_HD void EndChunk(Block& block, const UnitItem& item, int32_t chunk, Softmax* softmax,
                          Values* values) const {
    if (item.folds) {
      const UnitState& state = State(block);
      ForEachRun(block, item, *values, [&](const float* run, int32_t query, int32_t at) {
        float* const folded = Folded(block) + at;
        SLUICE_UNROLL
        for (int32_t d = 0; d < Products::kRun; ++d) {
          folded[d] = FoldSum(folded[d], state.fold_factors[0][query], run[d],
                              state.fold_factors[1][query]);
        }
      });
    } else {
      StoreChunk(block, item, chunk, *softmax, *values);
    }
    softmax->max = -HUGE_VALF;
    softmax->sum = 0.0f;
    *values = Values();
  }

  template <class Block>
  SLUICE_HD void StoreChunk(Block& block, const UnitItem& item, int32_t chunk,
                            const Softmax& softmax, const Values& values) const {
    float* const to = StateAt(plan, item, 1 + chunk - item.state_chunk, call().layer.v_dim);
    if (block.thread() % kRowThreads == 0) {
      to[block.thread() / kRowThreads] = softmax.max;
      to[kUnitRows + block.thread() / kRowThreads] = softmax.sum;
    }
    ForEachRun(block, item, values, [&](const float* run, int32_t, int32_t at) {
      SLUICE_UNROLL
      for (int32_t d = 0; d < Products::kRun; ++d) to[2 * kUnitRows + at + d] = run[d];
    });
  }

  // What the first item of a unit leaves: where Finish finds it, or as a state.
  template <class Block>
  SLUICE_HD void EndFold(Block& block, const UnitItem& item, const Softmax& softmax) const {
    UnitState& state = State(block);
    const int32_t v_dim = call().layer.v_dim;
    float* const to = item.cut ? StateAt(plan, item, 0, v_dim) : nullptr;
    if (block.thread() % kRowThreads == 0) {
      const int32_t query = block.thread() / kRowThreads;
      (to == nullptr ? state.max : to)[query] = softmax.folded_max;
      (to == nullptr ? state.sum : to + kUnitRows)[query] = softmax.folded_sum;
    }
    if (to == nullptr) return;
    block.Sync();
    ForEachFour(block, item.unit.queries, v_dim, [&](int32_t query, int32_t dim) {
      const int32_t at = query * v_dim + dim;
      SLUICE_UNROLL
      for (int32_t d = 0; d < 4; ++d) to[2 * kUnitRows + at + d] = Folded(block)[at + d];
    });
  }

  // Calls function(run, query, at) for the thread's values: run[0] is number `at` of
  // [queries, v_dim].
  template <class Block, class Function>
  SLUICE_HD void ForEachRun(Block& block, const UnitItem& item, const Values& values,
                            const Function& function) const {
    const int32_t v_dim = call().layer.v_dim;
    products.ForEachRun(block, item.unit.queries, values,
                        [&](const float* run, int32_t query, int32_t dim) {
                          function(run, query, query * v_dim + dim);
                        });
  }

  template <class Block>
  SLUICE_HD static UnitState& State(Block& block) {
    return *reinterpret_cast<UnitState*>(block.shared());
  }
  template <class Block>
  SLUICE_HD const float* Dots(Block& block) const {
    return reinterpret_cast<float*>(block.shared() + products.tiles.layout.weights);
  }
  // [queries, v_dim]
  template <class Block>
  SLUICE_HD float* Folded(Block& block) const {
    return reinterpret_cast<float*>(block.shared() + products.tiles.layout.sums);
  }
  template <class Block>
  SLUICE_HD UnitSums Sums(Block& block) const {
    UnitState& state = State(block);
    return {state.max, state.sum, state.factors, Folded(block), call().layer.v_dim};
  }
};

}  // namespace sluice::device
