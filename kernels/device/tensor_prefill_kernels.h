// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Attend of ops.h on tensor cores over units of up to 64 query rows, in bf16 arithmetic, of what
// CanPrefill tells and no rows under a cascade.
//
// Tiles come and chunks fold as in attend_unit_kernel.h, and queries are held as in
// tensor_attend_kernels.h: a query row is answered with the same bits in units of either size.

#include <cstdint>

#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/key_tiles.h"
#include "kernels/device/prefill_tiles.h"
#include "kernels/device/unit_item.h"

namespace sluice::device {

template <Dtype kDtype>
struct TensorPrefillKernel {
  PrefillTiles<kDtype> tiles;
  AttendPlan plan;
  AttendAnswers answers;

  static constexpr int32_t kThreads = kPrefillThreads;
  static constexpr int32_t kBlocks = 2;  // shared memory has no room for more at a time

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t items = plan.totals->items;
    // The last units of a row first: they see the most, and others fill up behind them.
    for (int64_t item = block.index(); item < items; item += block.count()) {
      RunItem(block, MakeUnitItem(plan, tiles.call.unit_count, items - 1 - item));
      block.Sync();
    }
  }

 private:
  using Tiles = PrefillTiles<kDtype>;
  using Rows = typename Tiles::Rows;
  using Sight = typename Tiles::Sight;
  using Values = typename Tiles::Values;

  template <class Block>
  SLUICE_HD void RunItem(Block& block, const UnitItem& item) const {
    SetUp(block, item);
    Reduce(block, item);
    const UnitSums sums = SumsOf(block);
    if (item.cut && !FoldStates(block, plan, item, tiles.call.layer.v_dim, sums)) return;
    block.Sync();
    WriteAnswers(block, tiles.call, plan, answers, item, sums);
  }

  template <class Block>
  SLUICE_HD void SetUp(Block& block, const UnitItem& item) const {
    PrefillState& state = Tiles::State(block);
    MakeRowTiles(block, tiles.call, item.unit.row, &state.tiles);
    FindVisible(block, tiles.call, item.unit.first_query, item.unit.queries, &state);
    const int32_t non_finite =
        tiles.LoadQueries(block, item.unit.row, item.unit.first_query, item.unit.queries);
    const bool counts = item.folds && answers.non_finite != nullptr && block.lane() == 0;
    if (counts && non_finite > 0) {
      block.AtomicAdd(answers.non_finite, static_cast<uint64_t>(non_finite));
    }
    block.Sync();
  }

  template <class Block>
  SLUICE_HD void Reduce(Block& block, const UnitItem& item) const {
    PrefillState& state = Tiles::State(block);
    const PrefillLayout& layout = tiles.layout;
    Rows rows = tiles.StartRows(block);
    Values values;
    StartSums(block, item, values);
    int32_t place = 0;
    TileCursor at = NextSeenTile(state.tiles, state.visible, item.first_chunk, item.last_chunk);
    if (!at.empty()) {
      LocateTile(block, tiles.call, state, at, &state.places[place]);
      block.Sync();
      CopyTile(block, state.places[place], KeyTileShape(state.Format(at)),
               block.shared() + layout.keys);
    }
    block.CommitCopies();
    while (!at.empty()) {
      const TileCursor next = AdvanceTile(state.tiles, state.visible, at, item.last_chunk);
      block.template WaitCopies<0>();
      block.Sync();
      const TilePlace& here = state.places[place];
      CopyTile(block, here, ValueTileShape(state.Format(at)), block.shared() + layout.values);
      block.CommitCopies();
      NoteSlots(block, tiles.call, at.span, at.tile, here, &state);
      if (!next.empty()) LocateTile(block, tiles.call, state, next, &state.places[place ^ 1]);
      typename Tiles::Dots dots;
      tiles.AddDots(block, &dots);
      block.Sync();
      if (!next.empty()) {
        CopyTile(block, state.places[place ^ 1], KeyTileShape(state.Format(next)),
                 block.shared() + layout.keys);
      }
      block.CommitCopies();
      AddTile(block, &dots, &rows, &values);
      if (next.empty() || next.chunk != at.chunk) EndChunk(block, item, at.chunk, &rows, &values);
      at = next;
      place ^= 1;
    }
    block.template WaitCopies<0>();
    if (item.folds) EndFold(block, item, rows);
  }

  // Adds the values of the tile to those of the chunk, by its dots.
  template <class Block>
  SLUICE_HD void AddTile(Block& block, typename Tiles::Dots* dots, Rows* rows,
                         Values* values) const {
    const Sight sight = tiles.SightOf(block, *rows);
    typename Tiles::Weights weights;
    if (sight != Sight::kNothing) {
      tiles.MakeLogits(block, *rows, sight, dots);
      float factors[Tiles::kLaneRows];
      if (tiles.Weigh(block, *dots, rows, &weights, factors)) Tiles::Scale(factors, values);
    }
    block.template WaitCopies<1>();
    block.Sync();
    if (sight != Sight::kNothing) tiles.AddValues(block, weights, values);
  }

  // Of the unit's first item: nothing is folded yet. Of others: chunks that nobody sees have
  // nothing for a state.
  template <class Block>
  SLUICE_HD void StartSums(Block& block, const UnitItem& item, const Values& nothing) const {
    const PrefillState& state = Tiles::State(block);
    if (item.folds) {
      tiles.ForEachPair(block, item.unit.queries, nothing,
                        [&](const float* pair, int32_t, int32_t row, int32_t dim) {
                          StorePair(Folded(block, row, dim), pair);
                        });
      return;
    }
    for (int32_t chunk = item.first_chunk; chunk < item.last_chunk; ++chunk) {
      if (!TilesOfChunk(state.tiles, state.visible, chunk).empty()) continue;
      const Softmax of_rows[Tiles::kLaneRows];
      StoreChunk(block, item, chunk, of_rows, nothing);
    }
  }

  // Folds the chunk into those before, or leaves it as a state; then nothing is summed.
  template <class Block>
  SLUICE_HD void EndChunk(Block& block, const UnitItem& item, int32_t chunk, Rows* rows,
                          Values* values) const {
    if (item.folds) {
      const FoldFactors factors[] = {FoldChunk(&rows->softmax[0]), FoldChunk(&rows->softmax[1])};
      tiles.ForEachPair(block, item.unit.queries, *values,
                        [&](const float* pair, int32_t i, int32_t row, int32_t dim) {
                          float* const folded = Folded(block, row, dim);
                          const FoldFactors& by = factors[i];
                          const float sums[2] = {
                              FoldSum(folded[0], by.before, pair[0], by.now),
                              FoldSum(folded[1], by.before, pair[1], by.now)};
                          StorePair(folded, sums);
                        });
    } else {
      StoreChunk(block, item, chunk, rows->softmax, *values);
    }
    SLUICE_UNROLL
    for (int32_t i = 0; i < Tiles::kLaneRows; ++i) {
      rows->softmax[i].max = -HUGE_VALF;
      rows->softmax[i].sum = 0.0f;
    }
    *values = Values();
  }

  template <class Block>
  SLUICE_HD void StoreChunk(Block& block, const UnitItem& item, int32_t chunk,
                            const Softmax (&softmax)[Tiles::kLaneRows],
                            const Values& values) const {
    const int32_t v_dim = tiles.call.layer.v_dim;
    float* const to = StateAt(plan, item, 1 + chunk - item.state_chunk, v_dim);
    const int32_t rows = StateRows(item.unit.queries);
    SLUICE_UNROLL
    for (int32_t i = 0; i < Tiles::kLaneRows; ++i) {
      const int32_t row = Tiles::RowOf(block, i);
      if (block.lane() % 4 != 0 || row >= item.unit.queries) continue;
      to[row] = softmax[i].max;
      to[rows + row] = softmax[i].sum;
    }
    tiles.ForEachPair(block, item.unit.queries, values,
                      [&](const float* pair, int32_t, int32_t row, int32_t dim) {
                        StorePair(to + 2 * rows + row * v_dim + dim, pair);
                      });
  }

  // What the first item of a unit leaves: where WriteAnswers finds it, or as a state.
  template <class Block>
  SLUICE_HD void EndFold(Block& block, const UnitItem& item, const Rows& rows) const {
    PrefillState& state = Tiles::State(block);
    const int32_t v_dim = tiles.call.layer.v_dim;
    float* const to = item.cut ? StateAt(plan, item, 0, v_dim) : nullptr;
    const int32_t state_rows = StateRows(item.unit.queries);
    SLUICE_UNROLL
    for (int32_t i = 0; i < Tiles::kLaneRows; ++i) {
      const int32_t row = Tiles::RowOf(block, i);
      if (block.lane() % 4 != 0 || row >= item.unit.queries) continue;
      (to == nullptr ? state.max : to)[row] = rows.softmax[i].folded_max;
      (to == nullptr ? state.sum : to + state_rows)[row] = rows.softmax[i].folded_sum;
    }
    if (to == nullptr) return;
    block.Sync();
    ForEachFour(block, item.unit.queries, v_dim, [&](int32_t row, int32_t dim) {
      const float* const folded = Folded(block, row, dim);
      float* const values = to + 2 * state_rows + row * v_dim + dim;
      SLUICE_UNROLL
      for (int32_t d = 0; d < 4; ++d) values[d] = folded[d];
    });
  }

  SLUICE_HD static void StorePair(float* to, const float* pair) {
    struct alignas(8) Pair {
      float values[2];
    };
    *reinterpret_cast<Pair*>(to) = {{pair[0], pair[1]}};
  }

  // [64, sum_stride]
  template <class Block>
  SLUICE_HD float* Folded(Block& block, int32_t row, int32_t dim) const {
    return tiles.Sums(block) + row * tiles.layout.sum_stride + dim;
  }

  template <class Block>
  SLUICE_HD UnitSums SumsOf(Block& block) const {
    PrefillState& state = Tiles::State(block);
    return {state.max, state.sum, state.factors, tiles.Sums(block), tiles.layout.sum_stride};
  }
};

}  // namespace sluice::device
