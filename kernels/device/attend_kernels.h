// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Attend of ops.h on CUDA cores, in fp32 arithmetic.
//
// An item is a run of chunks of a unit (attend_plan_kernels.h). Keys and values of a tile come
// through shared memory, values while logits are computed, the next keys while values are
// added. Where there is no room for both, each waits until the other is done with. A chunk is
// reduced in registers from the empty state, and chunks fold in order.

#include <math.h>

#include <cstdint>

#include "kernels/device/attend_plan_kernels.h"
#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/item_search.h"
#include "kernels/device/query_tiles.h"

namespace sluice::device {

template <Dtype kDtype>
struct AttendKernel {
  UnitTiles<kDtype> tiles;
  AttendPlan plan;
  void* out = nullptr;             // [tokens, q_heads, v_dim], of q's dtype
  float* lse = nullptr;            // [tokens, q_heads]; null: not wanted
  uint64_t* non_finite = nullptr;  // null: not wanted

  static constexpr int32_t kThreads = kUnitThreads;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t items = plan.totals->items;
    for (int64_t item = block.index(); item < items; item += block.count()) {
      const AttendUnit& unit = RecordOf(plan.units, tiles.call.unit_count, item,
                                        [](const AttendUnit& u) { return u.first_item; });
      RunItem(block, static_cast<int32_t>(&unit - plan.units),
              static_cast<int32_t>(item) - unit.first_item);
      block.Sync();
    }
  }

 private:
  static constexpr int32_t kWarps = kThreads / kWarpThreads;
  static constexpr int32_t kWarpRows = kUnitRows / kWarps;
  static constexpr int32_t kRowThreads = kThreads / kUnitRows;  // that reduce a query row
  static constexpr int32_t kThreadSlots = kTileSlots / kRowThreads;

  // Sums of values: of query rows warp + 4 i, and dims 4 (lane + 32 j) and the 3 behind.
  struct Values {
    float of[kWarpRows][2][4] = {};
  };

  // The softmax of query row thread / 8 so far: of the chunk, and of those before.
  struct Softmax {
    float max = -HUGE_VALF;
    float sum = 0.0f;
    float folded_max = -HUGE_VALF;
    float folded_sum = 0.0f;
  };

  // What an item is about.
  struct Item {
    AttendUnit unit;
    int32_t first_chunk = 0;
    int32_t last_chunk = 0;  // one past
    int32_t state_chunk = 0;  // the unit's first chunk with a state of its own
    bool folds = false;       // it is the unit's first item
    bool cut = false;         // the unit has others
  };

  // A tile, and where its chunk ends. tile >= last_tile: the chunk has no tile that is seen.
  struct Cursor {
    int32_t chunk = 0;
    int32_t span = 0;
    int32_t tile = 0;
    int32_t last_tile = 0;

    SLUICE_HD bool empty() const { return tile >= last_tile; }
  };

  template <class Block>
  SLUICE_HD void RunItem(Block& block, int32_t unit, int32_t index) const {
    const int32_t item_chunks = plan.totals->item_chunks;
    Item item;
    item.unit = plan.units[unit];
    item.first_chunk = item.unit.first_chunk + index * item_chunks;
    const int32_t end = item.first_chunk + item_chunks;
    item.last_chunk = end < item.unit.last_chunk ? end : item.unit.last_chunk;
    item.state_chunk = item.unit.first_chunk + item_chunks;
    item.folds = index == 0;
    item.cut = item.unit.first_state >= 0;
    SetUp(block, item);
    Reduce(block, item);
    if (item.cut) {
      const auto count = static_cast<uint32_t>(ItemsOf(item.unit, item_chunks));
      if (!block.ArriveLast(&plan.units[unit].arrivals, count)) return;
      FoldStates(block, item);
    }
    block.Sync();
    Finish(block, unit, item);
  }

  template <class Block>
  SLUICE_HD void SetUp(Block& block, const Item& item) const {
    MakeRowTiles(block, tiles.call, item.unit.row, &State(block).tiles);
    tiles.FindVisible(block, item.unit.first_query, item.unit.queries);
    tiles.LoadQueries(block, item.unit.row, item.unit.first_query, item.unit.queries);
    UnitState& state = State(block);
    if (item.folds) {
      ForEachOfBlock(block, item.unit.queries, [&](int64_t i) {
        if (state.finite[i] == 0 && non_finite != nullptr) {
          block.AtomicAdd(non_finite, uint64_t{1});
        }
      });
      const Values nothing;
      ForEachValue(block, item.unit.queries, [&](int32_t i, int32_t j, int32_t at) {
        StoreValues(Folded(block) + at, nothing.of[i][j]);
      });
      return;
    }
    for (int32_t chunk = item.first_chunk; chunk < item.last_chunk; ++chunk) {
      if (TilesOfChunk(state, chunk).empty()) StoreChunk(block, item, chunk, Softmax(), Values());
    }
  }

  template <class Block>
  SLUICE_HD void Reduce(Block& block, const Item& item) const {
    UnitState& state = State(block);
    Values values;
    Softmax softmax;
    int32_t place = 0;
    const bool waits = tiles.layout.waits;
    Cursor at = NextSeen(state, item, item.first_chunk);
    if (!at.empty()) {
      Locate(block, at, &state.places[place]);
      block.Sync();
      tiles.CopyKeys(block, at.span, state.places[place]);
    }
    block.CommitCopies();
    while (!at.empty()) {
      const Cursor next = Advance(state, item, at);
      block.template WaitCopies<0>();
      block.Sync();
      const TilePlace& here = state.places[place];
      if (!waits) tiles.CopyValues(block, at.span, here);
      block.CommitCopies();
      tiles.NoteSlots(block, at.span, at.tile, here);
      if (!next.empty()) Locate(block, next, &state.places[place ^ 1]);
      tiles.PrepareKeys(block, item.unit.row);
      tiles.WriteDots(block, item.unit.row, item.unit.queries, at.span, at.tile);
      block.Sync();
      if (waits) {
        tiles.CopyValues(block, at.span, here);
      } else if (!next.empty()) {
        tiles.CopyKeys(block, next.span, state.places[place ^ 1]);
      }
      block.CommitCopies();
      const bool ends = next.empty() || next.chunk != at.chunk;
      Weigh(block, item, ends, &softmax);
      block.template WaitCopies<1>();
      if (waits) block.template WaitCopies<0>();
      block.Sync();
      AddValues(block, item, here, &values);
      if (waits && !next.empty()) {
        block.Sync();
        tiles.CopyKeys(block, next.span, state.places[place ^ 1]);
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
  SLUICE_HD void Weigh(Block& block, const Item& item, bool ends, Softmax* softmax) const {
    UnitState& state = State(block);
    const int32_t query = block.thread() / kRowThreads;
    const int32_t first = block.thread() % kRowThreads;
    float* const weights = Weights(block) + query * kWeightStride;
    float logits[kThreadSlots];
    float max = softmax->max;
    SLUICE_UNROLL
    for (int32_t i = 0; i < kThreadSlots; ++i) {
      const int32_t slot = first + i * kRowThreads;
      logits[i] = query < item.unit.queries ? tiles.Logit(state, query, slot, weights[slot])
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
      weights[first + i * kRowThreads] = weight;
      sum += weight;
    }
    for (int32_t mask = kRowThreads / 2; mask > 0; mask /= 2) sum += block.ShuffleXor(sum, mask);
    const float factor = Rescale(softmax->max, max);
    softmax->sum = softmax->sum * factor + sum;
    softmax->max = max;
    if (first == 0) state.factors[query] = factor;
    if (ends && item.folds) FoldSoftmax(query, first == 0, &state, softmax);
  }

  SLUICE_HD static void FoldSoftmax(int32_t query, bool notes, UnitState* state,
                                    Softmax* softmax) {
    const float max =
        softmax->max > softmax->folded_max ? softmax->max : softmax->folded_max;
    const float before = Rescale(softmax->folded_max, max);
    const float now = Rescale(softmax->max, max);
    softmax->folded_sum = FoldSum(softmax->folded_sum, before, softmax->sum, now);
    softmax->folded_max = max;
    if (!notes) return;
    state->fold_factors[0][query] = before;
    state->fold_factors[1][query] = now;
  }

  template <class Block>
  SLUICE_HD void AddValues(Block& block, const Item& item, const TilePlace& place,
                           Values* values) const {
    const int32_t rows = (item.unit.queries + kWarps - 1) / kWarps;
    if (rows <= 1) {
      AddValuesOfRows<1>(block, place, values);
    } else if (rows <= 2) {
      AddValuesOfRows<2>(block, place, values);
    } else {
      AddValuesOfRows<kWarpRows>(block, place, values);
    }
  }

  template <int32_t kRows, class Block>
  SLUICE_HD void AddValuesOfRows(Block& block, const TilePlace& place, Values* values) const {
    const int32_t v_dim = tiles.call.layer.v_dim;
    const auto row_bytes = static_cast<int32_t>(v_dim * DtypeBytes(kDtype));
    const int32_t warp = block.thread() / kWarpThreads;
    const float* const weights = Weights(block) + warp * kWeightStride;
    SLUICE_UNROLL
    for (int32_t j = 0; j < 2; ++j) {
      const int32_t dim = 4 * (block.lane() + j * kWarpThreads);
      if (dim >= v_dim) continue;
      const FourDims<kDtype> dims(block.shared() + tiles.layout.values, row_bytes, dim);
      SLUICE_UNROLL
      for (int32_t i = 0; i < kRows; ++i) {
        const float factor = State(block).factors[warp + i * kWarps];
        SLUICE_UNROLL
        for (int32_t d = 0; d < 4; ++d) values->of[i][j][d] *= factor;
      }
      SLUICE_NO_UNROLL
      for (int32_t slot = place.begin & ~3; slot < place.end; slot += 4) {
        Float4 four[kRows];
        SLUICE_UNROLL
        for (int32_t i = 0; i < kRows; ++i) {
          four[i] =
              *reinterpret_cast<const Float4*>(weights + i * kWarps * kWeightStride + slot);
        }
        SLUICE_UNROLL
        for (int32_t s = 0; s < 4; ++s) {
          const Float4 value = dims.Of(slot + s);
          SLUICE_UNROLL
          for (int32_t i = 0; i < kRows; ++i) {
            SLUICE_UNROLL
            for (int32_t d = 0; d < 4; ++d) {
              values->of[i][j][d] =
                  AddProduct(values->of[i][j][d], four[i].values[s], value.values[d]);
            }
          }
        }
      }
    }
  }

  // Folds the chunk into those before, or leaves it as a state; then nothing is summed.
  template <class Block>
  SLUICE_HD void EndChunk(Block& block, const Item& item, int32_t chunk, Softmax* softmax,
                          Values* values) const {
    if (item.folds) {
      const UnitState& state = State(block);
      ForEachValue(block, item.unit.queries, [&](int32_t i, int32_t j, int32_t at) {
        const int32_t query = block.thread() / kWarpThreads + i * kWarps;
        float* const folded = Folded(block) + at;
        SLUICE_UNROLL
        for (int32_t d = 0; d < 4; ++d) {
          folded[d] = FoldSum(folded[d], state.fold_factors[0][query], values->of[i][j][d],
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
  SLUICE_HD void StoreChunk(Block& block, const Item& item, int32_t chunk, const Softmax& softmax,
                            const Values& values) const {
    float* const to = StateAt(item, 1 + chunk - item.state_chunk);
    if (block.thread() % kRowThreads == 0) {
      to[block.thread() / kRowThreads] = softmax.max;
      to[kUnitRows + block.thread() / kRowThreads] = softmax.sum;
    }
    ForEachValue(block, item.unit.queries, [&](int32_t i, int32_t j, int32_t at) {
      StoreValues(to + 2 * kUnitRows + at, values.of[i][j]);
    });
  }

  // What the first item of a unit leaves: where Finish finds it, or as a state.
  template <class Block>
  SLUICE_HD void EndFold(Block& block, const Item& item, const Softmax& softmax) const {
    UnitState& state = State(block);
    float* const to = item.cut ? StateAt(item, 0) : nullptr;
    if (block.thread() % kRowThreads == 0) {
      const int32_t query = block.thread() / kRowThreads;
      (to == nullptr ? state.max : to)[query] = softmax.folded_max;
      (to == nullptr ? state.sum : to + kUnitRows)[query] = softmax.folded_sum;
    }
    if (to == nullptr) return;
    ForEachValue(block, item.unit.queries, [&](int32_t, int32_t, int32_t at) {
      SLUICE_UNROLL
      for (int32_t d = 0; d < 4; ++d) to[2 * kUnitRows + at + d] = Folded(block)[at + d];
    });
  }

  // Folds the states of a unit in order.
  template <class Block>
  SLUICE_HD void FoldStates(Block& block, const Item& item) const {
    UnitState& state = State(block);
    const int32_t count = 1 + item.unit.last_chunk - item.state_chunk;
    ForEachOfBlock(block, kUnitRows, [&](int64_t query) {
      Softmax softmax;
      for (int32_t i = 0; i < count; ++i) {
        const float* const from = StateAt(item, i);
        softmax.max = from[query];
        softmax.sum = from[kUnitRows + query];
        FoldSoftmax(static_cast<int32_t>(query), false, &state, &softmax);
      }
      state.max[query] = softmax.folded_max;
      state.sum[query] = softmax.folded_sum;
    });
    ForEachValue(block, item.unit.queries, [&](int32_t i, int32_t, int32_t at) {
      const int32_t query = block.thread() / kWarpThreads + i * kWarps;
      float max = -HUGE_VALF;
      float four[4] = {};
      for (int32_t s = 0; s < count; ++s) {
        const float* const from = StateAt(item, s);
        const float larger = from[query] > max ? from[query] : max;
        const float before = Rescale(max, larger);
        const float now = Rescale(from[query], larger);
        SLUICE_UNROLL
        for (int32_t d = 0; d < 4; ++d) {
          four[d] = FoldSum(four[d], before, from[2 * kUnitRows + at + d], now);
        }
        max = larger;
      }
      StoreValues(Folded(block) + at, four);
    });
  }

  // Writes the answers from state.max, state.sum and the folded values.
  template <class Block>
  SLUICE_HD void Finish(Block& block, int32_t unit, const Item& item) const {
    UnitState& state = State(block);
    const AttendCall& call = tiles.call;
    ForEachOfBlock(block, item.unit.queries, [&](int64_t i) {
      const int64_t query =
          call.CallQuery(item.unit.row, item.unit.first_query + static_cast<int32_t>(i));
      float log_sum = HUGE_VALF;
      state.factors[i] = Answer(query, state.max[i], state.sum[i], &log_sum);
      if (plan.log_sums != nullptr) plan.log_sums[int64_t{unit} * kUnitRows + i] = log_sum;
    });
    block.Sync();
    const int32_t v_dim = call.layer.v_dim;
    const float* const folded = Folded(block);
    ForEachValue(block, item.unit.queries, [&](int32_t i, int32_t, int32_t at) {
      const int32_t row = block.thread() / kWarpThreads + i * kWarps;
      const int64_t query = call.CallQuery(item.unit.row, item.unit.first_query + row);
      const float factor = state.factors[row];
      float four[4];
      SLUICE_UNROLL
      for (int32_t d = 0; d < 4; ++d) four[d] = factor == 0.0f ? 0.0f : folded[at + d] * factor;
      StoreFour(out, call.dtype, query * v_dim + at % v_dim, four);
    });
  }

  // By what a query row's values are multiplied; its log-sum-exp, in units of log2 too where
  // it has one.
  SLUICE_HD float Answer(int64_t query, float max, float sum, float* log_sum) const {
    const LayerShape& layer = tiles.call.layer;
    if (!(sum > 0.0f)) {
      if (lse != nullptr) lse[query] = -HUGE_VALF;
      return 0.0f;
    }
    float factor = 1.0f;
    if (layer.sink_logits != nullptr) {
      const float sink = layer.sink_logits[query % layer.q_heads] * kLog2E;
      const float larger = sink > max ? sink : max;
      factor = exp2f(max - larger);
      sum = sum * factor + exp2f(sink - larger);
      max = larger;
    }
    *log_sum = max + log2f(sum);
    if (lse != nullptr) lse[query] = max * 0.693147181f + logf(sum);
    return factor / sum;
  }

  // Calls function(i, j, at) for the thread's values: Values::of[i][j] is number `at` and the
  // 3 behind it of [queries, v_dim].
  template <class Block, class Function>
  SLUICE_HD void ForEachValue(Block& block, int32_t queries, const Function& function) const {
    const int32_t v_dim = tiles.call.layer.v_dim;
    SLUICE_UNROLL
    for (int32_t i = 0; i < kWarpRows; ++i) {
      const int32_t query = block.thread() / kWarpThreads + i * kWarps;
      SLUICE_UNROLL
      for (int32_t j = 0; j < 2; ++j) {
        const int32_t dim = 4 * (block.lane() + j * kWarpThreads);
        if (query < queries && dim < v_dim) function(i, j, query * v_dim + dim);
      }
    }
  }

  SLUICE_HD static void StoreValues(float* to, const float (&four)[4]) {
    SLUICE_UNROLL
    for (int32_t d = 0; d < 4; ++d) to[d] = four[d];
  }

  SLUICE_HD Cursor TilesOfChunk(const UnitState& state, int32_t chunk) const {
    const RowTiles& row = state.tiles;
    Cursor cursor;
    cursor.chunk = chunk;
    while (chunk >= row.first_chunks[cursor.span + 1]) ++cursor.span;
    const SlotRange seen = state.visible[cursor.span];
    const int32_t first = (chunk - row.first_chunks[cursor.span]) * row.chunk_tiles;
    const int32_t seen_first = seen.begin / kTileSlots;
    const int32_t seen_last =
        seen.begin < seen.end ? (seen.end + kTileSlots - 1) / kTileSlots : 0;
    cursor.tile = first > seen_first ? first : seen_first;
    cursor.last_tile = first + row.chunk_tiles < seen_last ? first + row.chunk_tiles : seen_last;
    return cursor;
  }

  // The first tile from `chunk` on that is seen; empty: the item has none.
  SLUICE_HD Cursor NextSeen(const UnitState& state, const Item& item, int32_t chunk) const {
    for (; chunk < item.last_chunk; ++chunk) {
      const Cursor cursor = TilesOfChunk(state, chunk);
      if (!cursor.empty()) return cursor;
    }
    return Cursor();
  }

  SLUICE_HD Cursor Advance(const UnitState& state, const Item& item, Cursor at) const {
    ++at.tile;
    return at.empty() ? NextSeen(state, item, at.chunk + 1) : at;
  }

  template <class Block>
  SLUICE_HD void Locate(Block& block, const Cursor& at, TilePlace* place) const {
    if (block.thread() >= kTileGroups) return;
    const UnitState& state = State(block);
    const SlotRange seen = state.visible[at.span];
    LocateGroup(tiles.call.pool, state.tiles.row.spans[at.span], state.tiles.chunks[at.span],
                at.tile, seen.begin, seen.end, block.thread(), place);
  }

  template <class Block>
  SLUICE_HD static UnitState& State(Block& block) {
    return UnitTiles<kDtype>::State(block);
  }
  template <class Block>
  SLUICE_HD float* Weights(Block& block) const {
    return UnitTiles<kDtype>::Floats(block, tiles.layout.weights);
  }
  // [queries, v_dim]
  template <class Block>
  SLUICE_HD float* Folded(Block& block) const {
    return UnitTiles<kDtype>::Floats(block, tiles.layout.sums);
  }
  SLUICE_HD float* StateAt(const Item& item, int32_t index) const {
    return plan.states + item.unit.first_state +
           index * StateFloats(item.unit.queries, tiles.call.layer.v_dim);
  }
};

}  // namespace sluice::device
