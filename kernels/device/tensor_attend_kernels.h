// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Attend of ops.h on tensor cores, in bf16 arithmetic: keys and values of 16 bits.
//
// The query rows of a unit are the 16 rows of a product, whatever there are fewer. Each warp
// has 16 slots of a tile for the dots, and every 4th group of 16 dims for the sums of values,
// so that sums stay in one warp. Weights are rounded to the values' dtype, logits are not:
//
// - Queries of the keys' dtype are multiplied as they arrived, others as the sum of two
//   numbers of the keys' dtype: all of fp16 in bf16, 16 bits of fp32. For keys in fp16 their
//   rows are multiplied by a power of 2 first, since they may lie outside of its range.
// - Where keys turn, keys and queries turn in fp32 and are multiplied as sums of two numbers
//   in bf16, less the product of the smaller ones.

#include <cstddef>
#include <cstdint>

#include "kernels/core/fragment.h"
#include "kernels/core/number.h"
#include "kernels/core/swizzle.h"
#include "kernels/device/attend_unit_kernel.h"
#include "kernels/device/block.h"
#include "kernels/device/key_tiles.h"
#include "kernels/device/query_tiles.h"
#include "kernels/device/tensor_tiles.h"
#include "kernels/device/turns.h"

namespace sluice::device {

// What lies in a block's shared memory beside what UnitLayout says, of 16-bit elements.
struct TensorLayout {
  int32_t unit_rows = 0;
  int32_t queries = 0;  // [2, unit rows, k_dim] swizzled: of each number the larger part first
  int32_t weights = 0;  // [16, 64] swizzled
  int32_t bytes = 0;    // of all, UnitLayout's too
};

constexpr TensorLayout MakeTensorLayout(const UnitLayout& unit, const LayerShape& layer,
                                        int32_t unit_rows, bool turns) {
  TensorLayout layout;
  layout.unit_rows = unit_rows;
  layout.weights = unit.bytes;
  layout.bytes = layout.weights + kUnitRows * kTileSlots * 2;
  // Two parts of a query take the room of one turned in fp32.
  layout.queries = turns ? unit.turned_q : layout.bytes;
  if (!turns) layout.bytes += static_cast<int32_t>(RoundUp(4 * unit_rows * layer.k_dim, 128));
  return layout;
}

// AttendUnitKernel's products.
template <Dtype kDtype>
struct TensorProducts {
  static_assert(kDtype == Dtype::kBf16 || kDtype == Dtype::kF16, "16-bit elements");

  UnitTiles<kDtype> tiles;
  TensorLayout layout;

  static constexpr int32_t kRun = 2;

 private:
  static constexpr int32_t kWarps = kUnitThreads / kWarpThreads;
  static constexpr int32_t kMostDims = 256;  // of a value
  static constexpr int32_t kWarpGroups = kMostDims / kFragmentDepth / kWarps;
  static constexpr int32_t kTileSteps = kTileSlots / kFragmentDepth;
  static constexpr int32_t kPartBytes = 2;  // of an element

  // Weights of a tile: a row is one column of the swizzled layout.
  using WeightColumn = Column<kTileSlots * kPartBytes>;

 public:
  // Of the groups of 16 dims warp + 4 i, each as two products' sums.
  struct Values {
    SquareSums of[kWarpGroups] = {};
  };

  template <class Block>
  SLUICE_HD void LoadQueries(Block& block, int32_t row, int32_t first_query,
                             int32_t queries) const {
    tiles.LoadQueries(block, row, first_query, queries, 1.0f);
    UnitState& state = UnitTiles<kDtype>::State(block);
    const bool turns = tiles.Turns(row);
    const int32_t k_dim = tiles.call.layer.k_dim;
    for (int32_t query = block.thread() / kWarpThreads; query < queries; query += kWarps) {
      const float* const q = UnitTiles<kDtype>::Floats(block, tiles.layout.q) + query * k_dim;
      float unit = 1.0f;
      if (!turns) {
        if (kDtype == Dtype::kF16 && tiles.call.dtype != kDtype) unit = UnitOf(block, q, k_dim);
        for (int32_t dim = block.lane(); dim < k_dim; dim += kWarpThreads) {
          StoreQuery<kDtype>(block, query, dim, q[dim] / unit);
        }
      }
      if (block.lane() == 0) state.logit_factors[query] = LogitFactor(tiles.call.layer) * unit;
    }
  }

  template <class Block>
  SLUICE_HD void PrepareKeys(Block& block, int32_t row) const {
    if (!tiles.Turns(row)) return;
    const LayerShape& layer = tiles.call.layer;
    const SwizzledTile tile = MakeSwizzledTile(kTileSlots, layer.k_dim, Dtype::kBf16);
    std::byte* const turned = block.shared() + tiles.layout.turned_keys;
    TurnKeys<kDtype>(block, layer.rope, tiles.key_turns, layer.k_dim,
                     block.shared() + tiles.layout.keys, true,
                     [&](int32_t slot, int32_t dim, float value) {
                       StoreParts<Dtype::kBf16>(turned, TileBytes(),
                                                SwizzledOffset(tile, slot, dim), value);
                     });
  }

  template <class Block>
  SLUICE_HD void WriteDots(Block& block, int32_t row, int32_t queries, int32_t span,
                           int32_t tile) const {
    if (!tiles.Turns(row)) {
      WriteDotsOf<kDtype>(block, block.shared() + tiles.layout.keys,
                          tiles.call.dtype != kDtype, false);
      return;
    }
    tiles.TurnToTile(block, queries, span, tile, [&](int32_t query, int32_t dim, float value) {
      StoreQuery<Dtype::kBf16>(block, query, dim, value);
    });
    block.Sync();
    WriteDotsOf<Dtype::kBf16>(block, block.shared() + tiles.layout.turned_keys, true, true);
  }

  SLUICE_HD float Logit(const UnitState& state, int32_t query, int32_t slot, float dot) const {
    return tiles.Logit(state, query, slot, dot * state.logit_factors[query]);
  }

  template <class Block>
  SLUICE_HD void StoreWeight(Block& block, int32_t query, int32_t slot, float weight) const {
    constexpr int32_t kElements = kChunkElements<kDtype>;
    std::byte* const chunk =
        block.shared() + layout.weights +
        WeightColumn::Offset(kUnitRows, 0, query, slot / kElements);
    StoreFloat(chunk, kDtype, slot % kElements, weight);
  }

  template <class Block>
  SLUICE_HD void AddValues(Block& block, int32_t /*queries*/, const TilePlace& /*place*/,
                           Values* values) const {
    const UnitState& state = UnitTiles<kDtype>::State(block);
    const Quarter of_weights = RowsFirst(block.lane());
    uint32_t weights[kTileSteps][4];
    SLUICE_UNROLL
    for (int32_t step = 0; step < kTileSteps; ++step) {
      block.template LoadMatrices<false>(
          weights[step],
          block.shared() + layout.weights +
              WeightColumn::Offset(kUnitRows, 0, of_weights.row, 2 * step + of_weights.chunk));
    }
    const float factors[2] = {state.factors[PlaceInSums(block.lane(), 0).row],
                              state.factors[PlaceInSums(block.lane(), 2).row]};
    SLUICE_UNROLL
    for (int32_t i = 0; i < kWarpGroups; ++i) {
      const int32_t group = block.thread() / kWarpThreads + i * kWarps;
      if (group * kFragmentDepth >= tiles.call.layer.v_dim) continue;
      SLUICE_UNROLL
      for (int32_t half = 0; half < kHalves; ++half) {
        SLUICE_UNROLL
        for (int32_t j = 0; j < 4; ++j) values->of[i][half][j] *= factors[j / 2];
      }
      AddGroup(block, weights, group, values->of[i]);
    }
  }

  template <class Block, class Function>
  SLUICE_HD void ForEachRun(Block& block, int32_t queries, const Values& values,
                            const Function& function) const {
    SLUICE_UNROLL
    for (int32_t i = 0; i < kWarpGroups; ++i) {
      const int32_t group = block.thread() / kWarpThreads + i * kWarps;
      if (group * kFragmentDepth >= tiles.call.layer.v_dim) continue;
      SLUICE_UNROLL
      for (int32_t half = 0; half < kHalves; ++half) {
        SLUICE_UNROLL
        for (int32_t j = 0; j < 4; j += kRun) {
          const FragmentPlace place = PlaceInSums(block.lane(), j);
          if (place.row >= queries) continue;
          function(values.of[i][half] + j, place.row,
                   group * kFragmentDepth + half * kFragmentColumns + place.column);
        }
      }
    }
  }

 private:
  template <class Block>
  SLUICE_HD static float UnitOf(Block& block, const float* q, int32_t k_dim) {
    float largest = 0.0f;
    for (int32_t dim = block.lane(); dim < k_dim; dim += kWarpThreads) {
      const float magnitude = fabsf(q[dim]);
      largest = magnitude > largest ? magnitude : largest;
    }
    return UnitOfRow(block, largest);
  }

  // Stores a number as a sum of two of kPartDtype, `low_bytes` apart.
  template <Dtype kPartDtype>
  SLUICE_HD static void StoreParts(std::byte* base, int32_t low_bytes, int64_t index,
                                   float value) {
    const float high = RoundTo(kPartDtype, value);
    StoreFloat(base, kPartDtype, index, high);
    StoreFloat(base + low_bytes, kPartDtype, index, value - high);
  }

  template <Dtype kPartDtype, class Block>
  SLUICE_HD void StoreQuery(Block& block, int32_t query, int32_t dim, float value) const {
    const SwizzledTile tile =
        MakeSwizzledTile(layout.unit_rows, tiles.call.layer.k_dim, kPartDtype);
    StoreParts<kPartDtype>(block.shared() + layout.queries, QueryBytes(),
                           SwizzledOffset(tile, query, dim), value);
  }

  // Of one part of the unit's queries, and of a tile's keys.
  SLUICE_HD int32_t QueryBytes() const {
    return layout.unit_rows * tiles.call.layer.k_dim * kPartBytes;
  }
  SLUICE_HD int32_t TileBytes() const {
    return kTileSlots * tiles.call.layer.k_dim * kPartBytes;
  }

  // dots [16, 64] of the unit's queries and a tile of keys, both of kFactorDtype; with the lower
  // parts of queries, and of keys, if they are wanted.
  template <Dtype kFactorDtype, class Block>
  SLUICE_HD void WriteDotsOf(Block& block, const std::byte* keys, bool low_queries,
                             bool low_keys) const {
    const int32_t warp = block.thread() / kWarpThreads;
    const Quarter of_keys = ColumnsFirst(block.lane());
    const Quarter of_queries = RowsFirst(block.lane());
    const int32_t slot = warp * kFragmentRows + of_keys.row;
    // Rows that the unit has no room for are those that it has again.
    const int32_t query = of_queries.row & (layout.unit_rows - 1);
    const std::byte* const queries = block.shared() + layout.queries;
    SquareSums dots = {};
    block.SyncWarp();  // lanes went ways of their own: matrices take the warp as one
    ForEachColumn(tiles.call.layer.k_dim * kPartBytes, [&](auto column, int32_t begin) {
      using C = decltype(column);
      SLUICE_UNROLL
      for (int32_t chunk = 0; chunk < C::kChunks; chunk += 2) {
        const std::byte* const left =
            queries + C::Offset(layout.unit_rows, begin, query, chunk + of_queries.chunk);
        const std::byte* const right =
            keys + C::Offset(kTileSlots, begin, slot, chunk + of_keys.chunk);
        uint32_t a[4];
        block.template LoadMatrices<false>(a, left);
        const SquareB b = LoadSquare<false>(block, right);
        block.template MultiplyAdd<kFactorDtype>(dots, a, b.words);
        if (low_keys) {
          const SquareB low = LoadSquare<false>(block, right + TileBytes());
          block.template MultiplyAdd<kFactorDtype>(dots, a, low.words);
        }
        if (low_queries) {
          block.template LoadMatrices<false>(a, left + QueryBytes());
          block.template MultiplyAdd<kFactorDtype>(dots, a, b.words);
        }
      }
    });
    StoreDots(block, warp * kFragmentRows, dots);
  }

  template <class Block>
  SLUICE_HD void StoreDots(Block& block, int32_t first_slot, const SquareSums& dots) const {
    struct alignas(8) Neighbours {
      float dots[2];
    };
    float* const to = UnitTiles<kDtype>::Floats(block, tiles.layout.weights) + first_slot;
    SLUICE_UNROLL
    for (int32_t half = 0; half < kHalves; ++half) {
      SLUICE_UNROLL
      for (int32_t j = 0; j < 4; j += 2) {
        const FragmentPlace place = PlaceInSums(block.lane(), j);
        *reinterpret_cast<Neighbours*>(to + place.row * kWeightStride + half * kFragmentColumns +
                                 place.column) = {{dots[half][j], dots[half][j + 1]}};
      }
    }
  }

  // Adds to the sums of a group of 16 dims.
  template <class Block>
  SLUICE_HD void AddGroup(Block& block, const uint32_t (&weights)[kTileSteps][4], int32_t group,
                          SquareSums& sums) const {
    const SwizzledTile tile = MakeSwizzledTile(kTileSlots, tiles.call.layer.v_dim, kDtype);
    const Quarter of_values = RowsFirst(block.lane());
    const int32_t chunk = 2 * group + of_values.chunk;
    const std::byte* const values =
        block.shared() + tiles.layout.values + SwizzledChunk(tile, of_values.row, chunk);
    // Chunks of slots 16 apart lie in the same place.
    const int32_t step_bytes = kFragmentDepth * ColumnWidth(tile, chunk * kChunkBytes);
    SLUICE_UNROLL
    for (int32_t step = 0; step < kTileSteps; ++step) {
      const SquareB b = LoadSquare<true>(block, values + step * step_bytes);
      block.template MultiplyAdd<kDtype>(sums, weights[step], b.words);
    }
  }
};

template <Dtype kDtype>
using TensorAttendKernel = AttendUnitKernel<TensorProducts<kDtype>>;

}  // namespace sluice::device
