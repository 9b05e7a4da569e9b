// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/view.h"
#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_row.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// Where accumulated mass comes from once a unit's log-sum-exp is known.
enum class MassSource : uint8_t {
  kNone = 0,     // no mass is wanted
  kScratch = 1,  // weights in the worker's scratch: the unit is one segment
  kShared = 2,   // weights in shared memory, from all its segments
  kKeys = 3,     // many rows: logits are computed again from the keys
};

// Up to 64 query rows of one entry and kv head. Query rows of a kv head are
// numbered token by token, and within a token by query head.
struct AttendUnit {
  int32_t entry = 0;  // index into AttendPlan::entries
  int32_t kv_head = 0;
  int32_t first_row = 0;
  int32_t rows = 0;
  int32_t first_chunk = 0;  // the chunks that any of its rows sees
  int32_t last_chunk = 0;   // one past
  int32_t first_segment = 0;
  int32_t segment_count = 0;
  int32_t chunk_slots = 0;
  int32_t row_chunks = 0;  // chunks of the row, seen or not
  int64_t slots = 0;       // at most this many in its chunks
  MassSource mass = MassSource::kNone;
  int64_t queries_offset = 0;  // its packed query rows in shared memory, in floats (kKeys)
  int64_t partial_offset = 0;  // its partial states in shared memory, in floats
  int64_t weights_offset = 0;  // its weights in shared memory, in floats (kShared)
  int64_t log_sum_offset = 0;  // its rows' log-sum-exp in shared memory (with mass)
};

// A run of chunks of a unit: what one worker reduces without a pause. The first
// of a unit folds its chunks; the others leave a state each.
struct AttendSegment {
  int32_t unit = 0;
  int32_t first_chunk = 0;
  int32_t last_chunk = 0;
};

// A run of tiles of a kv head whose slots' mass is added in the second phase.
struct MassPiece {
  int32_t first_unit = 0;  // of the entry and kv head
  int32_t unit_count = 0;
  int64_t first_tile = 0;  // numbered through both spans, whole chunks a span
  int64_t last_tile = 0;
};

// How a call is cut. The cut follows from the call alone and has no influence
// on results: states fold in one order however the chunks were dealt.
class AttendPlan {
 public:
  // Cuts `args`; what was planned before is forgotten. `scratch_floats`: what a
  // worker can keep of a unit's weights.
  void Make(const PoolView& pool, const AttendArgs& args, int64_t scratch_floats);

  const std::vector<AttendEntry>& entries() const { return entries_; }
  const std::vector<AttendUnit>& units() const { return units_; }
  const std::vector<AttendSegment>& segments() const { return segments_; }
  // Item i has the segments [item_starts()[i], item_starts()[i + 1]).
  const std::vector<int32_t>& item_starts() const { return item_starts_; }
  const std::vector<MassPiece>& mass_pieces() const { return mass_pieces_; }
  int64_t partial_floats() const { return partial_floats_; }
  int64_t weights_floats() const { return weights_floats_; }
  int64_t log_sum_floats() const { return log_sum_floats_; }
  int64_t queries_floats() const { return queries_floats_; }

 private:
  void AddEntries(const PoolView& pool, const AttendArgs& args);
  void AddUnits(const PoolView& pool, const AttendArgs& args, int32_t entry, int32_t kv_head);
  int64_t ChunkCost(const AttendUnit& unit) const;
  int64_t SegmentChunks(const AttendUnit& unit, int64_t target_ns) const;
  int64_t PartialFloats(const AttendUnit& unit, int64_t segment_chunks) const;
  bool AllPartialsFit(int64_t target_ns) const;
  void CutUnits();
  void CutUnit(int64_t segment_chunks, AttendUnit* unit);
  void GroupSegments(int64_t target_ns);
  void PlaceMass(const AttendArgs& args, int64_t scratch_floats);
  void AddMassPieces(int32_t first_unit, int32_t unit_count);

  const LayerShape* layer_ = nullptr;
  int64_t slot_bytes_ = 0;
  std::vector<AttendEntry> entries_;
  std::vector<AttendUnit> units_;
  std::vector<AttendSegment> segments_;
  std::vector<int32_t> item_starts_;
  std::vector<MassPiece> mass_pieces_;
  int64_t partial_floats_ = 0;
  int64_t weights_floats_ = 0;
  int64_t log_sum_floats_ = 0;
  int64_t queries_floats_ = 0;
};

// Floats of a state of `rows` rows.
inline int64_t StateFloats(int64_t rows, int64_t v_dim) { return rows * (v_dim + 2); }

// Floats that keep the weights of `rows` rows in a tile, and their bases.
inline int64_t TileWeightFloats(int64_t rows) { return rows * kTileSlots + kMaxKeptRows; }

}  // namespace sluice::cpu
