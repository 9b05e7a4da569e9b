// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_row.h"
#include "kernels/cpu/attend_tile.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Slots of a chunk of the log-sum-exp, whatever the row's length: a chunk leaves
// two numbers a query row.
inline constexpr int64_t kSumChunkSlots = 4 * kTileSlots;

// One row of the call's RowSet: a kv head and the slots that its queries see.
struct WindowHead {
  WindowHead(const PoolView& pool, const WindowScoreArgs& args, int32_t row_index);

  // Chunks of kSumChunkSlots of a span, and of both.
  int64_t SpanChunkCount(int32_t span) const;
  int64_t chunk_count() const;

  // Slots below the snapshot.
  int64_t scored_slots() const;

  AttendRow row;  // every slot below `length`
  TileReader readers[2];
  int32_t kv_head = 0;         // of the layer
  int64_t scored_end[2] = {};  // one past the span's slots below the snapshot, as in SpanChunks
};

// Up to 64 observation rows of one query head. The rows used are numbered by
// position, the same for all query heads.
struct WindowUnit {
  int32_t head = 0;    // index into WindowPlan::heads
  int32_t q_head = 0;  // of the layer
  int32_t first_row = 0;
  int32_t rows = 0;
  int64_t place = 0;        // of its first row, among the rows of all query heads
  int64_t first_chunk = 0;  // of its sums, among all units'; by CutChunks
};

// A run of groups of 16 slots of a span, whose scores one worker makes: whole
// tiles, or a half or a quarter of one.
struct WindowPiece {
  int32_t head = 0;
  int32_t span = 0;
  int64_t first_group = 0;
  int64_t last_group = 0;
};

// Chunks of a unit whose sums one worker makes.
struct WindowChunks {
  int32_t unit = 0;
  int64_t first_chunk = 0;  // numbered through both spans
  int64_t last_chunk = 0;
};

// Slots of a row that one worker pools.
struct PoolRun {
  int32_t row_index = 0;
  int64_t first = 0;
  int64_t last = 0;
};

// How a call is cut. Cuts depend on the call alone and have no influence on results.
class WindowPlan {
 public:
  // Cuts `args`; what was planned before is forgotten.
  void Make(const PoolView& pool, const WindowScoreArgs& args);

  // Cuts the log-sum-exp of the units of which needed[unit] is not 0.
  void CutChunks(const std::vector<uint8_t>& needed);

  const std::vector<int64_t>& positions() const { return positions_; }  // of the rows used
  const std::vector<WindowHead>& heads() const { return heads_; }
  const std::vector<WindowUnit>& units() const { return units_; }
  // The units of a head, query head by query head.
  int64_t units_of_head() const { return units_of_head_; }
  int64_t units_of_query_head() const { return units_of_query_head_; }
  const std::vector<WindowPiece>& pieces() const { return pieces_; }
  const std::vector<WindowChunks>& chunks() const { return chunks_; }
  const std::vector<PoolRun>& pool_runs() const { return pool_runs_; }
  int64_t chunk_count() const { return chunk_count_; }  // of all units

 private:
  void FindRows(const WindowScoreArgs& args);
  void AddUnits(int32_t head, int32_t group);
  void AddPieces(int32_t head, int64_t groups);
  void AddPoolRuns(const WindowScoreArgs& args, int32_t row_index);

  int32_t k_dim_ = 0;
  int64_t units_of_head_ = 0;
  int64_t units_of_query_head_ = 0;
  int64_t chunk_count_ = 0;
  std::vector<int64_t> positions_;
  std::vector<WindowHead> heads_;
  std::vector<WindowUnit> units_;
  std::vector<WindowPiece> pieces_;
  std::vector<WindowChunks> chunks_;
  std::vector<PoolRun> pool_runs_;
};

}  // namespace sluice::cpu
