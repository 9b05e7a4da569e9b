// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/window_score_work.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/core/layout.h"
#include "kernels/core/number.h"
#include "kernels/core/observation.h"
#include "kernels/core/pooling.h"

namespace sluice::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

int64_t WindowScoreWork::Plan() {
  const LayerShape& layer = *args_.layer;
  plan_.Make(pool_, args_);
  group_ = layer.q_heads / layer.kv_heads;
  query_units_.Set(layer, pool_.formats[args_.rows.entry->tail_format].page);
  const auto heads = static_cast<int64_t>(plan_.heads().size());
  GrowTo(heads * group_ * rows() * layer.k_dim, &packed_);
  GrowTo(heads * group_ * rows(), &log_sums_);
  GrowTo(heads * 2 * rows(), &begin_);
  GrowTo(heads * 2 * rows(), &end_);
  needed_.assign(plan_.units().size(), 0);
  phase_ = Phase::kPack;
  if (plan_.units().empty()) return StartScores();
  return static_cast<int64_t>(plan_.units().size());
}

void WindowScoreWork::Run(int64_t item, WorkerScratch& worker_scratch) {
  static_assert(sizeof(WindowScratch) <= int64_t{1} << 16);
  auto* scratch = reinterpret_cast<WindowScratch*>(worker_scratch.data);
  switch (phase_) {
    case Phase::kPack:
      return Pack(item, scratch);
    case Phase::kSum:
      return Sum(plan_.chunks()[item], scratch);
    case Phase::kFold:
      return Fold(plan_.units()[folded_[item]], scratch);
    case Phase::kScore:
      return Score(plan_.pieces()[item], scratch);
    case Phase::kPool:
      return Pool(plan_.pool_runs()[item]);
  }
}

int64_t WindowScoreWork::NextPhase() {
  switch (phase_) {
    case Phase::kPack:
      return StartSums();
    case Phase::kSum:
      phase_ = Phase::kFold;
      return static_cast<int64_t>(folded_.size());
    case Phase::kFold:
      return StartScores();
    case Phase::kScore:
      phase_ = Phase::kPool;
      return static_cast<int64_t>(plan_.pool_runs().size());
    case Phase::kPool:
      return 0;
  }
  return 0;
}

PackedRows WindowScoreWork::QueriesOf(const WindowUnit& unit, int32_t span) const {
  const int64_t seen = SeenPlace(unit.head, span) + unit.first_row;
  return {packed_.data() + unit.place * args_.layer->k_dim, begin_.data() + seen,
          end_.data() + seen, unit.rows, query_units_.soft_cap};
}

// What any row of a unit sees: rows ascend in position, and so do both ends.
SlotRange WindowScoreWork::SeenBy(const WindowUnit& unit, int32_t span) const {
  const int64_t seen = SeenPlace(unit.head, span) + unit.first_row;
  return {begin_[seen], end_[seen + unit.rows - 1]};
}

// Where the scores of a row go before they are pooled.
float* WindowScoreWork::ScoresOf(int32_t row_index) {
  float* scores = args_.pool == WindowPool::kNone ? args_.scores : raw_.data();
  return scores + args_.rows.row_offsets[row_index];
}

void WindowScoreWork::Pack(int64_t unit_index, WindowScratch* scratch) {
  const WindowUnit& unit = plan_.units()[unit_index];
  if (unit_index % plan_.units_of_head() == 0) PlaceRows(unit.head);
  for (int32_t i = 0; i < unit.rows; ++i) {
    const int64_t position = plan_.positions()[unit.first_row + i];
    scratch->rows[i] =
        args_.observation + ObservedQueryOffset(args_.layout, position, unit.q_head);
  }
  PackArgs pack;
  pack.rows = scratch->rows;
  pack.row_count = unit.rows;
  pack.dims = args_.layer->k_dim;
  pack.lane_dims = query_units_.lane_dims.data();
  pack.dtype = args_.layout.dtype;
  pack.factor = query_units_.factor;
  pack.packed = packed_.data() + unit.place * args_.layer->k_dim;
  pack.finite = scratch->finite;
  PackQueries(pack);
  KeepLogSums(unit_index, *scratch);
}

// Takes over the log-sum-exp kept with a unit's rows; notes whether one is missing.
void WindowScoreWork::KeepLogSums(int64_t unit_index, const WindowScratch& scratch) {
  const WindowUnit& unit = plan_.units()[unit_index];
  for (int32_t i = 0; i < unit.rows; ++i) {
    const int64_t position = plan_.positions()[unit.first_row + i];
    const float lse = reinterpret_cast<const float*>(
        args_.observation + ObservedLseOffset(args_.layout, position))[unit.q_head];
    float& log_sum = log_sums_[unit.place + i];
    if (!scratch.finite[i] || lse == -kInfinity) {
      log_sum = kInfinity;
    } else {
      log_sum = lse * kLog2E;
      if (!LseIsKnown(lse)) needed_[unit_index] = 1;
    }
  }
}

void WindowScoreWork::PlaceRows(int64_t head) {
  const AttendRow& row = plan_.heads()[head].row;
  for (int32_t span = 0; span < row.row().span_count; ++span) {
    for (int64_t i = 0; i < rows(); ++i) {
      const SlotRange range = row.Visible(span, plan_.positions()[i]);
      begin_[SeenPlace(head, span) + i] = static_cast<int32_t>(range.begin);
      end_[SeenPlace(head, span) + i] = static_cast<int32_t>(range.end);
    }
  }
}

int64_t WindowScoreWork::StartSums() {
  folded_.clear();
  for (size_t unit = 0; unit < needed_.size(); ++unit) {
    if (needed_[unit] != 0) folded_.push_back(static_cast<int32_t>(unit));
  }
  if (folded_.empty()) return StartScores();
  plan_.CutChunks(needed_);
  GrowTo(plan_.chunk_count(), &sums_);
  if (plan_.chunks().empty()) {  // rows without slots
    phase_ = Phase::kFold;
    return static_cast<int64_t>(folded_.size());
  }
  phase_ = Phase::kSum;
  return static_cast<int64_t>(plan_.chunks().size());
}

void WindowScoreWork::Sum(const WindowChunks& chunks, WindowScratch* scratch) {
  const WindowUnit& unit = plan_.units()[chunks.unit];
  const WindowHead& head = HeadOf(unit);
  for (int64_t chunk = chunks.first_chunk; chunk < chunks.last_chunk; ++chunk) {
    const int64_t first_span_chunks = head.SpanChunkCount(0);
    const int32_t span = chunk < first_span_chunks ? 0 : 1;
    const int64_t first = (span == 0 ? chunk : chunk - first_span_chunks) * kSumChunkSlots;
    const SlotRange seen = SeenBy(unit, span);
    TileRange range;
    range.reader = &head.readers[span];
    range.format = &head.row.row().spans[span].format->page;
    range.begin = seen.begin;
    range.end = seen.end;
    range.first_tile = std::max(first, seen.begin) / kTileSlots;
    range.last_tile =
        (std::min(first + kSumChunkSlots, seen.end) + kTileSlots - 1) / kTileSlots;
    if (seen.begin >= seen.end) range.last_tile = range.first_tile;
    SumChunk(QueriesOf(unit, span), range, scratch->logits, &sums_[unit.first_chunk + chunk]);
  }
}

void WindowScoreWork::Fold(const WindowUnit& unit, WindowScratch* scratch) {
  FoldSums(sums_.data() + unit.first_chunk, HeadOf(unit).chunk_count(), &scratch->state);
  const float* sinks = args_.layer->sink_logits;
  for (int32_t i = 0; i < unit.rows; ++i) {
    float& log_sum = log_sums_[unit.place + i];
    if (LseIsKnown(log_sum)) continue;
    float max = scratch->state.max[i];
    float sum = scratch->state.sum[i];
    if (sum > 0.0f && sinks != nullptr) {
      const float sink = sinks[unit.q_head] * kLog2E;
      const float larger = std::max(max, sink);
      sum = sum * std::exp2(max - larger) + std::exp2(sink - larger);
      max = larger;
    }
    log_sum = sum > 0.0f ? max + std::log2(sum) : kInfinity;
  }
}

int64_t WindowScoreWork::StartScores() {
  phase_ = Phase::kScore;
  if (args_.pool != WindowPool::kNone) {
    GrowTo(args_.rows.row_offsets[args_.rows.row_count], &raw_);
  }
  return static_cast<int64_t>(plan_.pieces().size());
}

void WindowScoreWork::Score(const WindowPiece& piece, WindowScratch* scratch) {
  const WindowHead& head = plan_.heads()[piece.head];
  SlotRange seen;
  if (rows() > 0) {
    const int64_t place = SeenPlace(piece.head, piece.span);
    seen = {begin_[place], end_[place + rows() - 1]};
  }
  const int64_t last_tile = (piece.last_group + kTileGroups - 1) / kTileGroups;
  for (int64_t tile = piece.first_group / kTileGroups; tile < last_tile; ++tile) {
    const int64_t group = tile * kTileGroups;
    WindowColumns columns;
    columns.format = &head.row.row().spans[piece.span].format->page;
    columns.first = static_cast<int32_t>(
        std::max<int64_t>(0, piece.first_group - group) * kGroupSlots);
    columns.last = static_cast<int32_t>(
        std::min<int64_t>(kTileGroups, piece.last_group - group) * kGroupSlots);
    std::fill_n(scratch->reduced, kTileSlots, 0.0f);
    if (seen.Meets(tile)) {
      const AttendTile now = head.readers[piece.span].At(tile, seen.begin, seen.end);
      const bool goes_on = tile + 1 < last_tile && seen.Meets(tile + 1);
      const AttendTile next =
          goes_on ? head.readers[piece.span].At(tile + 1, seen.begin, seen.end) : now;
      columns.tile = &now;
      columns.next = &next;
      ScoreTile(piece, columns, scratch);
    }
    StoreScores(piece, tile, columns, scratch->reduced);
  }
}

// Sums over the rows of each query head, then reduces over the query heads.
void WindowScoreWork::ScoreTile(const WindowPiece& piece, const WindowColumns& columns,
                                WindowScratch* scratch) {
  const int64_t per_head = plan_.units_of_query_head();
  const WindowUnit* units = plan_.units().data() + piece.head * plan_.units_of_head();
  WindowColumns unit_columns = columns;
  for (int32_t g = 0; g < group_; ++g) {
    std::fill_n(scratch->sums, kTileSlots, 0.0f);
    for (int64_t i = g * per_head; i < (g + 1) * per_head; ++i) {
      if (!SeenBy(units[i], piece.span).Meets(columns.tile->first / kTileSlots)) continue;
      unit_columns.log_sums = log_sums_.data() + units[i].place;
      AddColumns(QueriesOf(units[i], piece.span), unit_columns, scratch->logits, scratch->sums);
      unit_columns.next = columns.tile;  // the first unit has asked for it
    }
    for (int32_t slot = columns.first; slot < columns.last; ++slot) {
      float& reduced = scratch->reduced[slot];
      reduced = args_.reduce == GroupReduce::kMax ? std::max(reduced, scratch->sums[slot])
                                                  : reduced + scratch->sums[slot];
    }
  }
  const float factor = 1.0f / static_cast<float>(group_);
  for (int32_t slot = columns.first; slot < columns.last; ++slot) {
    if (args_.reduce == GroupReduce::kMean) scratch->reduced[slot] *= factor;
  }
}

void WindowScoreWork::StoreScores(const WindowPiece& piece, int64_t tile,
                                  const WindowColumns& columns, const float* scores) {
  const WindowHead& head = plan_.heads()[piece.head];
  const int64_t lead = head.row.chunks(piece.span).lead;
  const int64_t first = std::max(tile * kTileSlots + columns.first, lead);
  const int64_t last = std::min(tile * kTileSlots + columns.last, head.scored_end[piece.span]);
  // A body is scored as a whole, so that a tail's slots begin behind all of its.
  const int64_t before = piece.span == 0 ? 0 : head.row.row().spans[0].slots;
  float* out = ScoresOf(piece.head) + before - lead;
  for (int64_t slot = first; slot < last; ++slot) out[slot] = scores[slot - tile * kTileSlots];
}

void WindowScoreWork::Pool(const PoolRun& run) const {
  constexpr int64_t kBlock = 2048;  // that stays in the first cache
  const int64_t offset = args_.rows.row_offsets[run.row_index];
  const int64_t slots = plan_.heads()[run.row_index].scored_slots();
  for (int64_t first = run.first; first < run.last; first += kBlock) {
    PoolScores(raw_.data() + offset, slots, args_.pool, args_.pool_width, first,
               std::min(first + kBlock, run.last), args_.scores + offset + first);
  }
}

}  // namespace sluice::cpu
