// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/cpu/query_units.h"
#include "kernels/cpu/window_kernel.h"
#include "kernels/cpu/window_plan.h"
#include "kernels/cpu/work.h"
#include "kernels/ops.h"

namespace sluice::cpu {

// A worker's memory for one unit.
struct WindowScratch {
  alignas(64) float logits[kMaxUnitRows * kTileSlots];
  float sums[kTileSlots];     // of one query head
  float reduced[kTileSlots];  // of its kv head
  ChunkSums state;
  const void* rows[kMaxUnitRows];
  bool finite[kMaxUnitRows];
};

// WindowScore. First the observation rows are packed for the kernel; then those
// whose log-sum-exp is not known get one, in chunks that are folded in order;
// then each slot's score is made by one worker, over the rows in order; then the
// scores of whole rows are pooled.
//
// REQUIRES: the formats of the entry pair dims for RoPE in the same way.
class WindowScoreWork : public Work {
 public:
  // `pool` outlives the object.
  explicit WindowScoreWork(const PoolView& pool) : pool_(pool) {}

  void Set(const WindowScoreArgs& args) { args_ = args; }

  int64_t Plan() override;
  void Run(int64_t item, WorkerScratch& scratch) override;
  int64_t NextPhase() override;

 private:
  enum class Phase : uint8_t { kPack, kSum, kFold, kScore, kPool };

  int64_t rows() const { return static_cast<int64_t>(plan_.positions().size()); }
  const WindowHead& HeadOf(const WindowUnit& unit) const { return plan_.heads()[unit.head]; }
  // What each row of a head sees of a span: [rows].
  int64_t SeenPlace(int64_t head, int32_t span) const { return (head * 2 + span) * rows(); }
  PackedRows QueriesOf(const WindowUnit& unit, int32_t span) const;
  SlotRange SeenBy(const WindowUnit& unit, int32_t span) const;
  float* ScoresOf(int32_t row_index);

  void Pack(int64_t unit_index, WindowScratch* scratch);
  void KeepLogSums(int64_t unit_index, const WindowScratch& scratch);
  void PlaceRows(int64_t head);
  int64_t StartSums();
  void Sum(const WindowChunks& chunks, WindowScratch* scratch);
  void Fold(const WindowUnit& unit, WindowScratch* scratch);
  int64_t StartScores();
  void Score(const WindowPiece& piece, WindowScratch* scratch);
  void ScoreTile(const WindowPiece& piece, const WindowColumns& columns, WindowScratch* scratch);
  void StoreScores(const WindowPiece& piece, int64_t tile, const WindowColumns& columns,
                   const float* scores);
  void Pool(const PoolRun& run) const;

  const PoolView& pool_;
  WindowScoreArgs args_;
  WindowPlan plan_;
  Phase phase_ = Phase::kPack;
  int32_t group_ = 0;               // query heads a kv head
  QueryUnits query_units_;
  std::vector<float> packed_;       // unit by unit
  std::vector<float> log_sums_;     // [query heads, rows], log2; +inf: the row adds nothing
  std::vector<int32_t> begin_;      // [heads, 2, rows]: what rows see, as in PackedRows
  std::vector<int32_t> end_;
  std::vector<uint8_t> needed_;     // [units]: a log-sum-exp is not known
  std::vector<int32_t> folded_;     // units to fold
  std::vector<ChunkSums> sums_;     // of the chunks of those units
  std::vector<float> raw_;          // scores before pooling, as in args_.scores
};

}  // namespace sluice::cpu
