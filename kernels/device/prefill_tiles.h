// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Units of 64 query rows against a tile of keys and values of 16 bits, on tensor cores. A
// warp has 16 of the rows, from the dots to the sums of values: what it computes of a row
// stays in the registers of 4 lanes. All sums are added in the order of units of 16 rows
// (tensor_attend_kernels.h).

#include <math.h>

#include <cstddef>
#include <cstdint>

#include "kernels/core/swizzle.h"
#include "kernels/device/attend_answers.h"
#include "kernels/device/tensor_tiles.h"
#include "kernels/device/tile_state.h"

namespace sluice::device {

inline constexpr int32_t kPrefillThreads = 128;

// Of keys and of values: the sums of a warp's rows are to stay in registers.
inline constexpr int32_t kMostPrefillDim = 128;

// What a block knows of its unit and tile. Lies at the start of its shared memory.
struct PrefillState : TileState {
  int32_t query_positions[kPrefillRows];  // INT32_MIN: it sees nothing
  float logit_factors[kPrefillRows];      // of dot products, as LogitFactor
  float max[kPrefillRows];
  float sum[kPrefillRows];
  float factors[kPrefillRows];
};

// Where things lie in a block's shared memory, in bytes.
struct PrefillLayout {
  int32_t keys = 0;     // [64, k_dim] as stored
  int32_t values = 0;   // [64, v_dim] as stored
  int32_t queries = 0;  // [query_parts, 64, k_dim] of the keys' dtype, swizzled
  int32_t sums = 0;     // [64, sum_stride] of fp32
  int32_t bytes = 0;
  int32_t query_parts = 1;  // 2: numbers are sums of two, the larger first
  int32_t sum_stride = 0;   // floats: pairs of lanes of 4 rows meet in no bank
};

constexpr PrefillLayout MakePrefillLayout(const LayerShape& layer, Dtype keys, Dtype queries) {
  PrefillLayout layout;
  layout.query_parts = keys == queries ? 1 : 2;
  layout.sum_stride = layer.v_dim + 8;
  layout.keys = static_cast<int32_t>(RoundUp(sizeof(PrefillState), 128));
  layout.values = layout.keys + kTileSlots * layer.k_dim * 2;
  layout.queries = layout.values + kTileSlots * layer.v_dim * 2;
  layout.sums = layout.queries + layout.query_parts * kPrefillRows * layer.k_dim * 2;
  layout.bytes = layout.sums + kPrefillRows * layout.sum_stride * 4;
  return layout;
}

// Whether units of 64 rows can be had of such tensors: sums in registers, and all else in
// `shared_bytes` of a block's shared memory.
constexpr bool CanPrefill(const LayerShape& layer, Dtype keys, Dtype queries,
                          int32_t shared_bytes) {
  return keys != Dtype::kF32 && layer.k_dim <= kMostPrefillDim &&
         layer.v_dim <= kMostPrefillDim &&
         MakePrefillLayout(layer, keys, queries).bytes <= shared_bytes;
}

template <Dtype kDtype>
struct PrefillTiles {
  static_assert(kDtype == Dtype::kBf16 || kDtype == Dtype::kF16, "16-bit elements");

  AttendCall call;
  PrefillLayout layout;

  static constexpr int32_t kWarpRows = kFragmentRows;
  static constexpr int32_t kTileSteps = kTileSlots / kFragmentDepth;
  static constexpr int32_t kDimGroups = kMostPrefillDim / kFragmentDepth;
  static constexpr int32_t kLaneRows = 2;  // of a lane: lane / 4 and 8 behind

  // Dots, logits and weights of a warp's rows by the tile's slots; sums of values by dims.
  struct Dots {
    SquareSums of[kTileSteps] = {};
  };
  struct Weights {
    uint32_t of[kTileSteps][4];
  };
  struct Values {
    SquareSums of[kDimGroups] = {};
  };

  // A lane's rows, and of which positions those of the warp are.
  struct Rows {
    Softmax softmax[kLaneRows];
    int32_t positions[kLaneRows];
    float logit_factors[kLaneRows];
    int32_t lowest;   // INT32_MIN: there are some that see nothing
    int32_t highest;
  };

  // How much of a tile a warp's rows see.
  enum class Sight { kNothing, kSome, kAll };  // kAll: and no log_mass adds to it

  template <class Block>
  SLUICE_HD static PrefillState& State(Block& block) {
    return *reinterpret_cast<PrefillState*>(block.shared());
  }
  template <class Block>
  SLUICE_HD float* Sums(Block& block) const {
    return reinterpret_cast<float*>(block.shared() + layout.sums);
  }

  // The unit's row of the lane's row `i`.
  template <class Block>
  SLUICE_HD static int32_t RowOf(Block& block, int32_t i) {
    return block.thread() / kWarpThreads * kWarpRows + PlaceInSums(block.lane(), 2 * i).row;
  }

  // Brings query rows to shared memory, and notes where they stand; returns how many of the
  // warp's are not finite. All threads see it after the next Sync. REQUIRES:
  // State(block).tiles are of the row.
  template <class Block>
  SLUICE_HD int32_t LoadQueries(Block& block, int32_t row, int32_t first_query,
                                int32_t queries) const {
    PrefillState& state = State(block);
    const int32_t first = block.thread() / kWarpThreads * kWarpRows;
    int32_t non_finite = 0;
    for (int32_t i = first; i < first + kWarpRows; ++i) {
      bool finite = false;
      float unit = 1.0f;
      if (i < queries) {
        const int64_t at = call.CallQuery(row, first_query + i) * call.layer.k_dim;
        finite = LoadQuery(block, at, i, &unit);
        non_finite += finite ? 0 : 1;
      }
      if (block.lane() != 0) continue;
      const int64_t position = state.tiles.query_position + (first_query + i) / call.group;
      state.query_positions[i] = finite ? static_cast<int32_t>(position) : INT32_MIN;
      state.logit_factors[i] = LogitFactor(call.layer) * unit;
    }
    return non_finite;
  }

  // REQUIRES: what LoadQueries noted is seen.
  template <class Block>
  SLUICE_HD Rows StartRows(Block& block) const {
    const PrefillState& state = State(block);
    Rows rows;
    SLUICE_UNROLL
    for (int32_t i = 0; i < kLaneRows; ++i) {
      rows.positions[i] = state.query_positions[RowOf(block, i)];
      rows.logit_factors[i] = state.logit_factors[RowOf(block, i)];
    }
    rows.lowest = rows.positions[0] < rows.positions[1] ? rows.positions[0] : rows.positions[1];
    rows.highest = rows.positions[0] < rows.positions[1] ? rows.positions[1] : rows.positions[0];
    for (int32_t mask = kWarpThreads / 2; mask > 0; mask /= 2) {
      const int32_t low = block.ShuffleXor(rows.lowest, mask);
      const int32_t high = block.ShuffleXor(rows.highest, mask);
      rows.lowest = low < rows.lowest ? low : rows.lowest;
      rows.highest = high > rows.highest ? high : rows.highest;
    }
    return rows;
  }

  // REQUIRES: what NoteSlots noted is seen.
  template <class Block>
  SLUICE_HD Sight SightOf(Block& block, const Rows& rows) const {
    const PrefillState& state = State(block);
    const int32_t window = call.layer.window;
    bool any = false;
    bool all = call.layer.soft_cap == 0.0f;
    for (int32_t slot = block.lane(); slot < kTileSlots; slot += kWarpThreads) {
      const int32_t key = state.key_positions[slot];
      any = any || key <= rows.highest;
      all = all && key <= rows.lowest && (window == 0 || key > rows.highest - window) &&
            state.log_mass[slot] == 0.0f;
    }
    if (block.Ballot(any) == 0) return Sight::kNothing;
    return block.Ballot(!all) == 0 ? Sight::kAll : Sight::kSome;
  }

  // The dots of the warp's rows and the tile's keys.
  template <class Block>
  SLUICE_HD void AddDots(Block& block, Dots* dots) const {
    const int32_t query =
        block.thread() / kWarpThreads * kWarpRows + RowsFirst(block.lane()).row;
    const int32_t query_chunk = RowsFirst(block.lane()).chunk;
    const Quarter key = ColumnsFirst(block.lane());
    const std::byte* const queries = block.shared() + layout.queries;
    const std::byte* const keys = block.shared() + layout.keys;
    block.SyncWarp();  // lanes went ways of their own: matrices take the warp as one
    ForEachColumn(call.layer.k_dim * 2, [&](auto column, int32_t begin) {
      using C = decltype(column);
      SLUICE_UNROLL
      for (int32_t chunk = 0; chunk < C::kChunks; chunk += 2) {
        const std::byte* const of_queries =
            queries + C::Offset(kPrefillRows, begin, query, chunk + query_chunk);
        uint32_t a[4];
        uint32_t low[4] = {};
        block.template LoadMatrices<false>(a, of_queries);
        if (layout.query_parts > 1) {
          block.template LoadMatrices<false>(low, of_queries + PartBytes());
        }
        SLUICE_UNROLL
        for (int32_t step = 0; step < kTileSteps; ++step) {
          const SquareB b = LoadSquare<false>(
              block, keys + C::Offset(kTileSlots, begin, step * kFragmentDepth + key.row,
                                      chunk + key.chunk));
          block.template MultiplyAdd<kDtype>(dots->of[step], a, b.words);
          if (layout.query_parts > 1) {
            block.template MultiplyAdd<kDtype>(dots->of[step], low, b.words);
          }
        }
      }
    });
  }

  // Turns dots into logits in units of log2; -inf: not seen. Where `sight` is kAll, which may
  // depend on pages' sizes, to the same bits as elsewhere.
  template <class Block>
  SLUICE_HD void MakeLogits(Block& block, const Rows& rows, Sight sight, Dots* dots) const {
    if (sight == Sight::kAll) {
      ForEachDot(block, [&](int32_t step, int32_t half, int32_t j, int32_t) {
        float& dot = dots->of[step][half][j];
        dot *= rows.logit_factors[j / 2];
      });
      return;
    }
    const float cap = call.layer.soft_cap * kLog2E;
    float factors[kLaneRows] = {rows.logit_factors[0], rows.logit_factors[1]};
    if (cap != 0.0f) {
      ForEachDot(block, [&](int32_t step, int32_t half, int32_t j, int32_t) {
        float& dot = dots->of[step][half][j];
        dot = cap * tanhf(dot * factors[j / 2]);
      });
      factors[0] = factors[1] = 1.0f;
    }
    const PrefillState& state = State(block);
    const int32_t window = call.layer.window;
    ForEachDot(block, [&](int32_t step, int32_t half, int32_t j, int32_t slot) {
      const int32_t position = rows.positions[j / 2];
      const int32_t key = state.key_positions[slot];
      const bool seen = key <= position && (window == 0 || key > position - window);
      float& dot = dots->of[step][half][j];
      dot = seen ? dot * factors[j / 2] + state.log_mass[slot] : -HUGE_VALF;
    });
  }

  // Turns logits into weights, and notes them in the rows. Returns whether sums of values
  // so far change, by factors[of the lane's rows].
  template <class Block>
  SLUICE_HD bool Weigh(Block& block, const Dots& logits, Rows* rows, Weights* weights,
                       float (&factors)[kLaneRows]) const {
    float max[kLaneRows] = {rows->softmax[0].max, rows->softmax[1].max};
    ForEachDot(block, [&](int32_t step, int32_t half, int32_t j, int32_t) {
      const float logit = logits.of[step][half][j];
      max[j / 2] = logit > max[j / 2] ? logit : max[j / 2];
    });
    float sums[kLaneRows][2] = {};  // of every 8th slot
    float base[kLaneRows];  // finite, so that rows that see nothing get no weight
    SLUICE_UNROLL
    for (int32_t i = 0; i < kLaneRows; ++i) {
      for (int32_t mask = 1; mask < 4; mask *= 2) {
        const float other = block.ShuffleXor(max[i], mask);
        max[i] = other > max[i] ? other : max[i];
      }
      factors[i] = Rescale(rows->softmax[i].max, max[i]);
      rows->softmax[i].max = max[i];
      base[i] = max[i] == -HUGE_VALF ? 0.0f : max[i];
    }
    SLUICE_UNROLL
    for (int32_t step = 0; step < kTileSteps; ++step) {
      SLUICE_UNROLL
      for (int32_t word = 0; word < 4; ++word) {
        const int32_t i = word % 2;
        const float* const pair = logits.of[step][word / 2] + 2 * i;
        const float low = exp2f(pair[0] - base[i]);
        const float high = exp2f(pair[1] - base[i]);
        sums[i][0] += low;
        sums[i][1] += high;
        weights->of[step][word] = WeightPair<kDtype>(low, high);
      }
    }
    SLUICE_UNROLL
    for (int32_t i = 0; i < kLaneRows; ++i) {
      for (int32_t mask = 2; mask > 0; mask /= 2) {
        sums[i][0] += block.ShuffleXor(sums[i][0], mask);
        sums[i][1] += block.ShuffleXor(sums[i][1], mask);
      }
      rows->softmax[i].sum = rows->softmax[i].sum * factors[i] + (sums[i][0] + sums[i][1]);
    }
    return block.Ballot(factors[0] != 1.0f || factors[1] != 1.0f) != 0;
  }

  SLUICE_HD static void Scale(const float (&factors)[kLaneRows], Values* values) {
    SLUICE_UNROLL
    for (int32_t group = 0; group < kDimGroups; ++group) {
      SLUICE_UNROLL
      for (int32_t j = 0; j < 8; ++j) values->of[group][j / 4][j % 4] *= factors[j / 2 % 2];
    }
  }

  // values += weights * the tile's.
  template <class Block>
  SLUICE_HD void AddValues(Block& block, const Weights& weights, Values* values) const {
    const SwizzledTile tile = MakeSwizzledTile(kTileSlots, call.layer.v_dim, kDtype);
    const Quarter value = RowsFirst(block.lane());
    SLUICE_UNROLL
    for (int32_t group = 0; group < kDimGroups; ++group) {
      if (group * kFragmentDepth >= call.layer.v_dim) continue;
      const int32_t chunk = 2 * group + value.chunk;
      const std::byte* const at =
          block.shared() + layout.values + SwizzledChunk(tile, value.row, chunk);
      // Chunks of slots 16 apart lie in the same place.
      const int32_t step_bytes = kFragmentDepth * ColumnWidth(tile, chunk * kChunkBytes);
      SLUICE_UNROLL
      for (int32_t step = 0; step < kTileSteps; ++step) {
        const SquareB b = LoadSquare<true>(block, at + step * step_bytes);
        block.template MultiplyAdd<kDtype>(values->of[group], weights.of[step], b.words);
      }
    }
  }

  // Calls function(pair, i, row, dim) for the lane's sums of values: pair[0] and pair[1] are of
  // dims `dim` and the one behind of the unit's row `row`, the lane's row `i`.
  template <class Block, class Function>
  SLUICE_HD void ForEachPair(Block& block, int32_t queries, const Values& values,
                             const Function& function) const {
    SLUICE_UNROLL
    for (int32_t group = 0; group < kDimGroups; ++group) {
      if (group * kFragmentDepth >= call.layer.v_dim) continue;
      SLUICE_UNROLL
      for (int32_t j = 0; j < 8; j += 2) {
        const int32_t i = j / 2 % 2;
        const int32_t row = RowOf(block, i);
        if (row >= queries) continue;
        function(values.of[group][j / 4] + j % 4, i, row,
                 group * kFragmentDepth + j / 4 * kFragmentColumns +
                     PlaceInSums(block.lane(), 0).column);
      }
    }
  }

 private:
  SLUICE_HD int32_t PartBytes() const { return kPrefillRows * call.layer.k_dim * 2; }

  // Calls function(step, half, j, slot) for the lane's dots: of[step][half][j] is of the
  // tile's slot `slot` and the lane's row j / 2.
  template <class Block, class Function>
  SLUICE_HD static void ForEachDot(Block& block, const Function& function) {
    const int32_t column = PlaceInSums(block.lane(), 0).column;
    SLUICE_UNROLL
    for (int32_t step = 0; step < kTileSteps; ++step) {
      SLUICE_UNROLL
      for (int32_t half = 0; half < kHalves; ++half) {
        SLUICE_UNROLL
        for (int32_t j = 0; j < 4; ++j) {
          function(step, half, j,
                   step * kFragmentDepth + half * kFragmentColumns + column + j % 2);
        }
      }
    }
  }

  // Brings the query row whose elements begin with number `first` of q to row `i`, divided by
  // *unit. Returns whether it is finite.
  template <class Block>
  SLUICE_HD bool LoadQuery(Block& block, int64_t first, int32_t i, float* unit) const {
    const int32_t k_dim = call.layer.k_dim;
    const SwizzledTile tile = MakeSwizzledTile(kPrefillRows, k_dim, kDtype);
    std::byte* const queries = block.shared() + layout.queries;
    bool finite = true;
    float largest = 0.0f;
    for (int32_t dim = block.lane(); dim < k_dim; dim += kWarpThreads) {
      const float magnitude = fabsf(LoadAsFloat(call.q, call.dtype, first + dim));
      finite = finite && IsFinite(magnitude);
      largest = magnitude > largest ? magnitude : largest;
    }
    if (kDtype == Dtype::kF16 && layout.query_parts > 1) *unit = UnitOfRow(block, largest);
    const float inverse = 1.0f / *unit;
    for (int32_t dim = block.lane(); dim < k_dim; dim += kWarpThreads) {
      const float value = LoadAsFloat(call.q, call.dtype, first + dim) * inverse;
      const float high = RoundTo(kDtype, value);
      const int64_t at = SwizzledOffset(tile, i, dim);
      StoreFloat(queries, kDtype, at, high);
      if (layout.query_parts > 1) StoreFloat(queries + PartBytes(), kDtype, at, value - high);
    }
    return block.Ballot(!finite) == 0;
  }
};

}  // namespace sluice::device
