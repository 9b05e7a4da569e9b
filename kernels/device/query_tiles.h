// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// A unit of query rows against a tile of keys: their logits, in units of log2.
//
// What attend and mass have in common. Blocks have kUnitThreads threads.

#include <math.h>

#include <climits>
#include <cstddef>
#include <cstdint>

#include "kernels/core/number.h"
#include "kernels/device/block.h"
#include "kernels/device/fold.h"
#include "kernels/device/key_tiles.h"
#include "kernels/device/row_tiles.h"
#include "kernels/device/tile_state.h"
#include "kernels/device/turns.h"

namespace sluice::device {

inline constexpr int32_t kUnitThreads = 128;

// Floats of a row of logits or weights in shared memory: 8 threads of 4 rows each meet in
// no bank.
inline constexpr int32_t kWeightStride = kTileSlots + 8;

// What a block knows of its unit and tile. Lies at the start of its shared memory.
struct UnitState : TileState {
  int32_t finite[kUnitRows];              // whether the query row is
  float logit_factors[kUnitRows];         // of dot products, where queries do not have them
  int32_t query_positions[kUnitRows];     // INT32_MIN: it sees nothing
  float factors[kUnitRows];
  float fold_factors[2][kUnitRows];       // of what was folded before, and of the chunk
  float max[kUnitRows];
  float sum[kUnitRows];
};

// Where things lie in a block's shared memory, in bytes.
struct UnitLayout {
  int32_t keys = 0;         // [64, k_dim] as stored
  int32_t values = 0;       // [64, v_dim] as stored; where the keys lie, if they wait
  int32_t q = 0;            // [unit rows, k_dim], times the logits' factor
  int32_t turned_q = 0;     // the same for the tile, where keys turn
  int32_t turned_keys = 0;  // [64, k_dim] in fp32, where keys turn
  int32_t weights = 0;      // [16, kWeightStride]: logits, then weights
  int32_t sums = 0;         // floats of the kernel's own
  int32_t bytes = 0;
  bool waits = false;       // values come when the keys are done with, the next keys after them
};

// `unit_rows`: a power of 2 that no unit has more query rows than, at least 2. Values wait
// where all would be more than `most_bytes`; then it may still be more.
constexpr UnitLayout MakeUnitLayout(const LayerShape& layer, Dtype dtype, int32_t unit_rows,
                                    bool turns, bool with_values, int32_t sum_floats,
                                    int32_t most_bytes, bool waits = false) {
  UnitLayout layout;
  int32_t bytes = static_cast<int32_t>(RoundUp(sizeof(UnitState), 128));
  const auto take = [&bytes](int64_t size) {
    const int32_t at = bytes;
    bytes += static_cast<int32_t>(RoundUp(size, 128));
    return at;
  };
  const int64_t element = DtypeBytes(dtype);
  const int64_t key_bytes = kTileSlots * layer.k_dim * element;
  const int64_t value_bytes = with_values ? kTileSlots * layer.v_dim * element : 0;
  layout.waits = waits;
  layout.keys = take(waits && value_bytes > key_bytes ? value_bytes : key_bytes);
  layout.values = waits ? layout.keys : take(value_bytes);
  layout.q = take(int64_t{unit_rows} * layer.k_dim * 4);
  layout.turned_q = take(turns ? int64_t{unit_rows} * layer.k_dim * 4 : 0);
  layout.turned_keys = turns && dtype == Dtype::kF32
                           ? layout.keys
                           : take(turns ? int64_t{kTileSlots} * layer.k_dim * 4 : 0);
  layout.weights = take(kUnitRows * kWeightStride * 4);
  layout.sums = take(int64_t{sum_floats} * 4);
  layout.bytes = bytes;
  if (bytes > most_bytes && with_values && !waits) {
    return MakeUnitLayout(layer, dtype, unit_rows, turns, with_values, sum_floats, most_bytes,
                          true);
  }
  return layout;
}

template <Dtype kDtype>
struct UnitTiles {
  AttendCall call;
  UnitLayout layout;
  const Turn* key_turns = nullptr;  // [64, rotary_dim / 2]; null: no keys of the call turn

  template <class Block>
  SLUICE_HD static UnitState& State(Block& block) {
    return *reinterpret_cast<UnitState*>(block.shared());
  }
  template <class Block>
  SLUICE_HD static float* Floats(Block& block, int32_t offset) {
    return reinterpret_cast<float*>(block.shared() + offset);
  }

  SLUICE_HD bool Turns(int32_t row) const {
    return key_turns != nullptr && call.ViewEntryOf(row).cascade_offset != kNoOffset;
  }

  // Brings query rows to shared memory, times `factor`, and notes where they stand: all threads
  // see it after the next Sync. REQUIRES: State(block).tiles are of the row.
  template <class Block>
  SLUICE_HD void LoadQueries(Block& block, int32_t row, int32_t first_query, int32_t queries,
                             float factor) const {
    UnitState& state = State(block);
    float* const q = Floats(block, layout.q);
    const int32_t k_dim = call.layer.k_dim;
    ForEachOfBlock(block, kUnitRows, [&](int64_t i) { state.finite[i] = 1; });
    block.Sync();
    for (int32_t i = block.thread() / kWarpThreads; i < queries; i += kUnitThreads / kWarpThreads) {
      const int64_t first = call.CallQuery(row, first_query + i) * k_dim;
      for (int32_t dim = block.lane(); dim < k_dim; dim += kWarpThreads) {
        const float value = LoadAsFloat(call.q, call.dtype, first + dim);
        if (!IsFinite(value)) state.finite[i] = 0;
        q[i * k_dim + dim] = value * factor;
      }
    }
    block.Sync();
    ForEachOfBlock(block, kUnitRows, [&](int64_t i) {
      const int64_t position = state.tiles.query_position + (first_query + i) / call.group;
      state.query_positions[i] =
          i < queries && state.finite[i] != 0 ? static_cast<int32_t>(position) : INT32_MIN;
    });
    if (Turns(row)) TurnFromArrival(block, row, first_query, queries);
  }

  // Begin to bring keys or values of a tile to their place.
  template <class Block>
  SLUICE_HD void CopyKeys(Block& block, const TileCursor& at, const TilePlace& place) const {
    CopyTile(block, place, KeyTileShape(State(block).Format(at)), block.shared() + layout.keys);
  }
  template <class Block>
  SLUICE_HD void CopyValues(Block& block, const TileCursor& at, const TilePlace& place) const {
    CopyTile(block, place, ValueTileShape(State(block).Format(at)),
             block.shared() + layout.values);
  }

  // Turns the keys of the tile where they turn, once a tile. Before WriteDots.
  template <class Block>
  SLUICE_HD void PrepareKeys(Block& block, int32_t row) const {
    if (!Turns(row)) return;
    const SwizzledTile tile = MakeSwizzledTile(kTileSlots, call.layer.k_dim, Dtype::kF32);
    float* const turned = Floats(block, layout.turned_keys);
    // Keys in fp32 turn in their place.
    TurnKeys<kDtype>(block, call.layer.rope, key_turns, call.layer.k_dim,
                     block.shared() + layout.keys, kDtype != Dtype::kF32,
                     [&](int32_t slot, int32_t dim, float value) {
                       turned[SwizzledOffset(tile, slot, dim)] = value;
                     });
  }

  // Writes the dot products of the tile, [queries, kWeightStride]. REQUIRES: what LoadQueries
  // and CopyKeys brought is there. Keys that turn take a Sync.
  template <class Block>
  SLUICE_HD void WriteDots(Block& block, int32_t row, int32_t queries, int32_t span_index,
                           int32_t tile) const {
    const std::byte* const keys = block.shared() + layout.keys;
    if (!Turns(row)) {
      WriteDotsOf<kDtype>(block, keys, Floats(block, layout.q), queries);
      return;
    }
    float* const turned = Floats(block, layout.turned_q);
    const int32_t k_dim = call.layer.k_dim;
    TurnToTile(block, queries, span_index, tile, [&](int32_t query, int32_t dim, float value) {
      turned[query * k_dim + dim] = value;
    });
    block.Sync();
    WriteDotsOf<Dtype::kF32>(block, block.shared() + layout.turned_keys,
                             Floats(block, layout.turned_q), queries);
  }

  // Turns the queries to the tile's first slot, and calls store(query, dim, value) for their
  // elements. The whole block, where queries turn.
  template <class Block, class Store>
  SLUICE_HD void TurnToTile(Block& block, int32_t queries, int32_t span_index, int32_t tile,
                            const Store& store) const {
    const UnitState& state = State(block);
    const int64_t first = state.tiles.row.spans[span_index].first_position +
                          int64_t{tile} * kTileSlots - state.tiles.chunks[span_index].lead;
    const auto distance = [&](int32_t query, float inv_freq) {
      return static_cast<double>(state.query_positions[query] - first) * double{inv_freq};
    };
    TurnQueries(block, call.layer.rope, queries, call.layer.k_dim, 1.0f, distance,
                Floats(block, layout.q), store);
  }

  // The logit of a query row and a slot of the tile, from their dot product; -inf: not seen.
  SLUICE_HD float Logit(const UnitState& state, int32_t query, int32_t slot, float dot) const {
    const int32_t position = state.query_positions[query];
    const int32_t key = state.key_positions[slot];
    if (key > position || (call.layer.window > 0 && key <= position - call.layer.window)) {
      return -HUGE_VALF;
    }
    const float cap = call.layer.soft_cap;
    return (cap != 0.0f ? cap * kLog2E * tanhf(dot) : dot) + state.log_mass[slot];
  }

 private:
  template <Dtype kKeyDtype, class Block>
  SLUICE_HD void WriteDotsOf(Block& block, const std::byte* keys, const float* q,
                             int32_t queries) const {
    if (queries <= 2) {
      WriteDotsOfRows<kKeyDtype, 1>(block, keys, q);
    } else if (queries <= 4) {
      WriteDotsOfRows<kKeyDtype, 2>(block, keys, q);
    } else if (queries <= 8) {
      WriteDotsOfRows<kKeyDtype, 4>(block, keys, q);
    } else {
      WriteDotsOfRows<kKeyDtype, 8>(block, keys, q);
    }
  }

  // A thread has a slot and every other one of 2 * kRows query rows.
  template <Dtype kKeyDtype, int32_t kRows, class Block>
  SLUICE_HD void WriteDotsOfRows(Block& block, const std::byte* keys, const float* q) const {
    const int32_t k_dim = call.layer.k_dim;
    const SwizzledTile shape = MakeSwizzledTile(kTileSlots, k_dim, kKeyDtype);
    const int32_t slot = block.thread() % kTileSlots;
    const int32_t first = block.thread() / kTileSlots;
    float* const weights = Floats(block, layout.weights) + slot;
    float dots[kRows] = {};
    AddDotsOfTile<kKeyDtype, kRows>(keys, shape, slot, q + first * k_dim, 2 * k_dim, dots);
    SLUICE_UNROLL
    for (int32_t i = 0; i < kRows; ++i) weights[(first + 2 * i) * kWeightStride] = dots[i];
  }

  // Turns queries back from the true positions at which they were rotated, if they were. The
  // factors of the cosines and sines, the keys' too, go to the queries.
  template <class Block>
  SLUICE_HD void TurnFromArrival(Block& block, int32_t row, int32_t first_query,
                                 int32_t queries) const {
    const RopeTable& rope = call.layer.rope;
    const int64_t position = call.EntryOf(row).first_position;
    const float once = rope.attention_factor;
    const float factor = rope.arrives_rotated ? once : once * once;
    const auto arrived = [&](int32_t query, float inv_freq) {
      if (!rope.arrives_rotated) return 0.0;
      const int64_t at = position + (first_query + query) / call.group;
      const float angle = static_cast<float>(at) * inv_freq;
      return -double{angle};
    };
    float* const q = Floats(block, layout.q);
    const int32_t k_dim = call.layer.k_dim;
    TurnQueries(block, rope, queries, k_dim, factor, arrived, q,
                [&](int32_t query, int32_t dim, float value) { q[query * k_dim + dim] = value; });
  }
};

}  // namespace sluice::device
