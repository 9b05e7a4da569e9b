// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// The vectorised parts of attend. Each function runs on the best instruction
// set that is allowed (hwy::SupportedTargets). All arithmetic is fp32; logits
// are in units of log2. Stateless: safe from any thread.

#include <cstdint>

#include "kernels/cpu/attend_tile.h"
#include "kernels/cpu/rope_rows.h"
#include "kernels/dtype.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Most query rows that are worked on together.
inline constexpr int32_t kMaxUnitRows = 64;

// Running softmax of `rows` query rows: out / sum is their attention so far.
struct AttendState {
  float* max = nullptr;  // [rows], log2; -inf: nothing seen
  float* sum = nullptr;  // [rows]
  float* out = nullptr;  // [rows, v_dim]
};

// Angles by which a query row turns.
struct QueryTurn {
  const float* cosines = nullptr;  // [pairs]
  const float* sines = nullptr;
  int32_t pairs = 0;  // k_dim / 2
};

// How the keys of a span turn by their cache positions, and the query rows with
// them from tile to tile (core/rope.h).
struct TileTurn {
  const RopeRows* tables = nullptr;
  // The rows were turned for the keys of a span whose tile of this number, counted
  // as in SpanChunks, stands at position 0.
  int64_t first_tile = 0;
  float* turned = nullptr;  // scratch, [4, 8, k_dim]: a block of rows for the groups of a tile
};

// Pairs of a row that lie side by side where rows turn: a block of rows is
// [k_dim / 16, rows, 2, 8], and [k_dim, rows] otherwise.
inline constexpr int kTurnPairs = 8;

// Query rows in the order in which the kernel reads them.
struct PackedRows {
  const float* q = nullptr;         // from PackQueries
  const int32_t* begin = nullptr;   // [rows]: first slot that a row sees, counted as in SpanChunks
  const int32_t* end = nullptr;     // [rows]: one past the last; <= begin: none
  int32_t rows = 0;                 // 1 .. kMaxUnitRows
  float soft_cap = 0.0f;            // of logits in units of log2; 0: none
  const TileTurn* turn = nullptr;   // null: keys are as they are stored
};

// Tiles of one chunk, or of a part of a row.
struct TileRange {
  const TileReader* reader = nullptr;
  const PageFormat* format = nullptr;
  int64_t first_tile = 0;
  int64_t last_tile = 0;  // one past
  int64_t begin = 0;      // the slots that any row sees
  int64_t end = 0;
  const AttendTile* after = nullptr;  // what will be read next, for prefetching; null, or end 0: unknown
};

// Most query rows of a unit whose weights are kept for the mass.
inline constexpr int32_t kMaxKeptRows = 16;

// Where the weights exp2(logit - base) of query rows go, tile by tile.
struct WeightRows {
  float* logits = nullptr;   // scratch, [rows, 64]
  float* kept = nullptr;     // [tiles, rows, 64], 64-byte aligned; null: not wanted
  float* bases = nullptr;    // [tiles, kMaxKeptRows]; with `kept`
  bool past_caches = false;  // kept weights are many and read late
};

// Converts query rows to fp32, times `factor`, dims as in K lanes, for the kernel.
//
// `rows[i]` points to a row of `dims` elements of `dtype`. finite[i] is cleared,
// and zeros stand for the row, if an element is not finite. packed: [rows * dims].
struct PackArgs {
  const void* const* rows = nullptr;  // [row_count]
  int32_t row_count = 0;
  int32_t dims = 0;
  const int16_t* lane_dims = nullptr;  // [dims]: LaneDim of each lane position
  Dtype dtype = Dtype::kF32;
  float factor = 1.0f;
  bool turns = false;  // the order is that of rows that turn
  float* packed = nullptr;
  bool* finite = nullptr;  // [row_count]
};
void PackQueries(const PackArgs& args);

// Turns row i of packed rows, in the order of rows that turn, by turns[i]. `out` may
// be `packed`.
void TurnQueries(const float* packed, const QueryTurn* turns, int32_t rows, float* out);

// Attends over the tiles of one chunk, from the empty state.
void AttendChunk(const PackedRows& queries, const TileRange& range, const WeightRows& weights,
                 const AttendState& state);

// state <- state (+) chunk: the softmax of both, left first.
void FoldChunk(const AttendState& chunk, int32_t rows, int32_t v_dim, const AttendState& state);

// The state as it is before the first chunk.
void ClearState(int32_t rows, int32_t v_dim, const AttendState& state);

// out[0 .. v_dim) = values * factor in `dtype`.
void StoreOutput(const float* values, float factor, int32_t v_dim, Dtype dtype, void* out);

// sums[i, 0 .. 64) += sum over rows of weights[r] * f(values[r, slot] * scale[r]), where
// scale is exp2(bases[r] - log_sums[r]); rows in order. Row r counts in sum number
// (first_row + r) % sum_count.
struct MassTile {
  const float* values = nullptr;    // [rows, 64]
  const float* bases = nullptr;     // [kMaxKeptRows]
  const float* log_sums = nullptr;  // [kMaxUnitRows], log2
  const float* weights = nullptr;   // [kMaxUnitRows]; 0: the row adds nothing
  int32_t rows = 0;
  bool squared = false;
  int32_t first_row = 0;
  int32_t sum_count = 1;  // <= kMaxKeptRows
};
void AddMass(const MassTile& tile, float* sums);

// The same from the keys of a tile, for rows whose log-sum-exp is known.
// `logits`: scratch, [rows, 64].
void AddMassOfKeys(const PackedRows& queries, const PageFormat& format, const AttendTile& tile,
                   const MassTile& mass, float* logits, float* sums);

// scores <- decay * scores + sums, for the slots [begin, end) of a tile; those
// from `fresh` on start from 0.
struct ScoreTile {
  float* scores[kTileGroups] = {};  // [16] each; null: none in this group
  int32_t begin = 0;
  int32_t end = 0;
  int32_t fresh = kTileSlots;
};
void UpdateScores(const ScoreTile& tile, float decay, const float* sums);

}  // namespace sluice::cpu
