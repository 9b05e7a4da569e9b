// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/core/view.h"
#include "kernels/cpu/attend_kernel.h"
#include "kernels/cpu/attend_mass.h"
#include "kernels/cpu/attend_plan.h"
#include "kernels/cpu/query_units.h"
#include "kernels/cpu/rope_rows.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// A worker's memory for one unit. Beyond it, what is left of the scratch keeps
// the unit's weights for the mass.
struct AttendScratch {
  static constexpr int64_t kFloats = int64_t{kMaxUnitRows} * 256;

  alignas(64) float packed[kFloats];
  float out[kFloats];
  float chunk_out[kFloats];
  float logits[kMaxUnitRows * kTileSlots];
  float max[kMaxUnitRows];
  float sum[kMaxUnitRows];
  float chunk_max[kMaxUnitRows];
  float chunk_sum[kMaxUnitRows];
  float row_weights[kMaxUnitRows];     // MassWeight of each row
  float log_sums[kMaxUnitRows];        // log2; +inf: the row adds no mass
  int32_t begin[kMaxSpans][kMaxUnitRows];  // what each row sees of each span
  int32_t end[kMaxSpans][kMaxUnitRows];
  // Of units whose keys turn by their cache positions:
  float span_rows[kFloats];            // `packed`, turned for span turned_span
  float turned[kFloats];               // and for a tile
  TileTurn turn;
  int32_t turned_span = -1;            // -1: none yet
  const void* rows[kMaxUnitRows];
  bool finite[kMaxUnitRows];
  alignas(64) float weights[1];        // what is left
};

// Attend. In the first phase an item is a run of segments (attend_plan.h); in
// the second, where there is one, a run of tiles that mass is added to.
//
// REQUIRES: all formats of the call's entries pair dims for RoPE in the same way.
class AttendWork : public Work {
 public:
  // `pool` outlives the object; `scratch_bytes`: a worker's, >= sizeof(AttendScratch).
  AttendWork(const PoolView& pool, int64_t scratch_bytes);

  void Set(const AttendArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  int64_t NextPhase() override;
  void Finish() override;

 private:
  // What a segment works on.
  struct UnitView;

  struct alignas(64) Line {
    float values[16];
  };

  void RunSegment(const AttendSegment& segment, const AttendTile* after, AttendScratch* scratch);
  AttendState ReduceChunks(const AttendSegment& segment, const UnitView& view,
                           const AttendTile* after, AttendScratch* scratch);
  void ReduceChunk(int32_t chunk, const UnitView& view, const AttendTile* after,
                   const AttendState& state, AttendScratch* scratch);
  TileRange TilesOf(int32_t chunk, const UnitView& view) const;
  float* KeptWeights(const UnitView& view, AttendScratch* scratch);
  WeightRows WeightsOf(const TileRange& range, int32_t chunk, const UnitView& view,
                            AttendScratch* scratch);
  // `packed`: the unit's rows as PackRows left them.
  PackedRows QueriesOf(const UnitView& view, int32_t span, const float* packed,
                       AttendScratch* scratch) const;
  AttendTile FirstTile(const AttendSegment& segment) const;
  void PackRows(const UnitView& view, AttendScratch* scratch);
  void TurnFromArrival(const UnitView& view, AttendScratch* scratch) const;
  const TileTurn* TurnToSpan(const UnitView& view, int32_t span, const float* packed,
                             AttendScratch* scratch) const;
  void PlaceRows(const UnitView& view, AttendScratch* scratch) const;
  bool Arrive(const AttendSegment& segment);
  void FoldSegments(const AttendUnit& unit);
  void FinishUnit(const UnitView& view, const AttendState& state, AttendScratch* scratch);
  float AnswerRow(const UnitView& view, int32_t row, const AttendState& state, bool finite);
  AttendState PartialState(const AttendUnit& unit, int64_t index);

  void RunMassPiece(const MassPiece& piece, AttendScratch* scratch);
  void AddMassOfSpan(const MassPiece& piece, const UnitView& head, int32_t span,
                     const TileRun& run, AttendScratch* scratch);
  void AddMassOfUnit(const UnitView& view, int32_t span, const TileRun& tiles,
                     AttendScratch* scratch, float* sums);
  void AddMassOfTile(const UnitView& view, int32_t span, int64_t tile, AttendScratch* scratch,
                     float* sums);
  void WeighRows(const UnitView& view, AttendScratch* scratch) const;

  const PoolView& pool_;
  const int64_t weight_floats_;  // of a worker's scratch
  AttendArgs args_;
  AttendPlan plan_;
  bool adding_mass_ = false;         // the second phase runs
  int32_t group_ = 0;                // query heads a kv head
  QueryUnits query_units_;
  RopeRowsCache rope_cache_;
  const RopeRows* rope_rows_ = nullptr;  // null: nothing in the call turns
  std::vector<float> partials_;      // states of cut units
  std::vector<Line> weights_;        // of units with MassSource::kShared
  std::vector<float> log_sums_;      // [rows of all units], with mass
  std::vector<float> queries_;       // packed, of units with MassSource::kKeys
  std::vector<int32_t> arrived_;     // [units]: segments that are done
  std::atomic<int64_t> non_finite_{0};
};

}  // namespace sluice::cpu
