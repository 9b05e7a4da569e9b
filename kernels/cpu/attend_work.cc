// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_work.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "kernels/core/layout.h"
#include "kernels/core/mass.h"
#include "kernels/cpu/attend_mass.h"

namespace sluice::cpu {
namespace {

constexpr float kLn2 = 0.693147181f;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
T* Offset(T* base, int64_t elements, Dtype dtype) {
  using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
  return static_cast<Byte*>(base) + elements * DtypeBytes(dtype);
}

}  // namespace

struct AttendWork::UnitView {
  const AttendUnit& unit;
  const AttendEntry& entry;
  AttendRow row;
  bool turns;  // keys stand at cache positions
  // Of the row's spans only.
  union {
    TileReader readers[kMaxSpans];
  };
  union {
    SlotRange visible[kMaxSpans];  // what any of its rows sees
  };

  UnitView(const PoolView& pool, const LayerShape& layer, const AttendPlan& plan, int32_t index)
      : unit(plan.units()[static_cast<size_t>(index)]),
        entry(plan.entries()[static_cast<size_t>(unit.entry)]),
        row(pool, entry, layer, unit.kv_head) {
    const int32_t group = layer.q_heads / layer.kv_heads;
    const int64_t first = entry.row_position + unit.first_row / group;
    const int64_t last = entry.row_position + (unit.first_row + unit.rows - 1) / group;
    turns = entry.cascade;
    for (int32_t span = 0; span < row.row().span_count; ++span) {
      readers[span] = TileReader(pool, row.row().spans[span], row.chunks(span));
      visible[span] = row.VisibleUnion(span, first, last);
    }
  }

  // Number of a tile among those of the unit's chunks.
  int64_t TileNumber(int32_t span, int64_t tile) const {
    return (row.FirstChunk(span) - unit.first_chunk) * row.chunk_tiles() + tile;
  }

  bool Sees(int32_t span, int64_t tile) const { return visible[span].Meets(tile); }
};

AttendWork::AttendWork(const PoolView& pool, int64_t scratch_bytes)
    : pool_(pool),
      weight_floats_((scratch_bytes - static_cast<int64_t>(offsetof(AttendScratch, weights))) / 4) {}

int64_t AttendWork::Plan() {
  const LayerShape& layer = *args_.layer;
  adding_mass_ = false;
  non_finite_.store(0, std::memory_order_relaxed);
  plan_.Make(pool_, args_, weight_floats_);
  if (plan_.units().empty()) return 0;
  group_ = layer.q_heads / layer.kv_heads;
  query_units_.Set(layer, pool_.formats[plan_.entries()[0].entry->tail_format].page);
  rope_rows_ = nullptr;
  int64_t positions = 0;
  for (const AttendEntry& entry : plan_.entries()) {
    if (entry.cascade) positions = std::max(positions, entry.row_position + entry.token_count);
  }
  if (positions > 0 && layer.rope.inv_freq != nullptr) {
    rope_rows_ = rope_cache_.Get(layer.rope, layer.k_dim, positions);
  }
  GrowTo(plan_.partial_floats(), &partials_);
  GrowTo(plan_.weights_floats() / 16, &weights_);
  GrowTo(plan_.log_sum_floats(), &log_sums_);
  GrowTo(plan_.queries_floats(), &queries_);
  arrived_.assign(plan_.units().size(), 0);
  return static_cast<int64_t>(plan_.item_starts().size()) - 1;
}

void AttendWork::Run(int64_t item, WorkerScratch& worker_scratch) {
  auto* scratch = reinterpret_cast<AttendScratch*>(worker_scratch.data);
  if (adding_mass_) return RunMassPiece(plan_.mass_pieces()[static_cast<size_t>(item)], scratch);
  const AttendSegment* segments = plan_.segments().data();
  const int32_t end = plan_.item_starts()[static_cast<size_t>(item) + 1];
  for (int32_t i = plan_.item_starts()[static_cast<size_t>(item)]; i < end; ++i) {
    if (i + 1 < end) {
      const AttendTile after = FirstTile(segments[i + 1]);
      RunSegment(segments[i], &after, scratch);
    } else {
      RunSegment(segments[i], nullptr, scratch);
    }
  }
}

int64_t AttendWork::NextPhase() {
  if (adding_mass_) return 0;
  adding_mass_ = true;
  return static_cast<int64_t>(plan_.mass_pieces().size());
}

void AttendWork::Finish() {
  if (args_.non_finite_count == nullptr) return;
  *args_.non_finite_count += non_finite_.load(std::memory_order_relaxed);
}

AttendTile AttendWork::FirstTile(const AttendSegment& segment) const {
  const UnitView view(pool_, *args_.layer, plan_, segment.unit);
  if (segment.first_chunk == segment.last_chunk) return AttendTile();
  const TileRange range = TilesOf(segment.first_chunk, view);
  if (range.first_tile >= range.last_tile) return AttendTile();
  return range.reader->At(range.first_tile, range.begin, range.end);
}

void AttendWork::RunSegment(const AttendSegment& segment, const AttendTile* after,
                            AttendScratch* scratch) {
  const UnitView view(pool_, *args_.layer, plan_, segment.unit);
  PackRows(view, scratch);
  AttendState state = ReduceChunks(segment, view, after, scratch);
  if (view.unit.segment_count > 1) {
    if (!Arrive(segment)) return;
    FoldSegments(view.unit);
    state = PartialState(view.unit, 0);
  }
  FinishUnit(view, state, scratch);
}

void AttendWork::PackRows(const UnitView& view, AttendScratch* scratch) {
  const LayerShape& layer = *args_.layer;
  const AttendUnit& unit = view.unit;
  for (int32_t i = 0; i < unit.rows; ++i) {
    const int64_t row = unit.first_row + i;
    const int64_t head = (view.entry.call_token + row / group_) * layer.q_heads +
                         unit.kv_head * group_ + row % group_;
    scratch->rows[i] = Offset(args_.q, head * layer.k_dim, args_.dtype);
  }
  PackArgs pack;
  pack.rows = scratch->rows;
  pack.row_count = unit.rows;
  pack.dims = layer.k_dim;
  pack.lane_dims = query_units_.lane_dims.data();
  pack.dtype = args_.dtype;
  pack.factor = query_units_.factor;
  pack.turns = view.turns && rope_rows_ != nullptr;
  pack.packed = scratch->packed;
  pack.finite = scratch->finite;
  PackQueries(pack);
  scratch->turned_span = -1;
  if (pack.turns) TurnFromArrival(view, scratch);
  PlaceRows(view, scratch);
}

// Turns packed rows back from the true positions at which they were rotated, if
// they were. The factors of the cosines and sines, the key's too, go to the query.
void AttendWork::TurnFromArrival(const UnitView& view, AttendScratch* scratch) const {
  const RopeTable& rope = args_.layer->rope;
  const int32_t pairs = rope_rows_->pairs();
  const int32_t rotary_pairs = rope.rotary_dim / 2;
  const float factor =
      rope.arrives_rotated ? rope.attention_factor : rope.attention_factor * rope.attention_factor;
  float* cosines = scratch->turned;  // [tokens of the unit, pairs]
  float* sines = scratch->chunk_out;
  static_assert(kMaxUnitRows * 128 <= AttendScratch::kFloats);
  QueryTurn turns[kMaxUnitRows];
  const int64_t first_token = view.unit.first_row / group_;
  int64_t known = -1;
  for (int32_t i = 0; i < view.unit.rows; ++i) {
    const int64_t token = (view.unit.first_row + i) / group_ - first_token;
    turns[i] = {cosines + token * pairs, sines + token * pairs, pairs};
    if (token == known) continue;
    known = token;
    const auto position = static_cast<float>(view.entry.first_position + first_token + token);
    for (int32_t pair = 0; pair < pairs; ++pair) {
      const bool rotates = pair < rotary_pairs;
      const float angle = rotates && rope.arrives_rotated ? position * rope.inv_freq[pair] : 0.0f;
      cosines[token * pairs + pair] = std::cos(angle) * (rotates ? factor : 1.0f);
      sines[token * pairs + pair] = -std::sin(angle) * (rotates ? factor : 1.0f);
    }
  }
  TurnQueries(scratch->packed, turns, view.unit.rows, scratch->packed);
}

// Turns rows for the keys of a span; null: nothing turns. Token i of the unit
// stands `ahead` + i + 64 * first_tile behind the first slot of the span's tile 0.
const TileTurn* AttendWork::TurnToSpan(const UnitView& view, int32_t span, const float* packed,
                                       AttendScratch* scratch) const {
  if (!view.turns || rope_rows_ == nullptr) return nullptr;
  if (scratch->turned_span == span) return &scratch->turn;
  const int64_t first_token = view.unit.first_row / group_;
  const int64_t distance = view.entry.row_position + first_token + view.row.chunks(span).lead -
                           view.row.row().spans[span].first_position;
  const int64_t first_tile = distance / kTileSlots;
  const int64_t ahead = distance % kTileSlots;
  QueryTurn turns[kMaxUnitRows];
  for (int32_t i = 0; i < view.unit.rows; ++i) {
    const int64_t row = ahead + (view.unit.first_row + i) / group_ - first_token;
    turns[i] = {rope_rows_->FineCosines(row), rope_rows_->FineSines(row), rope_rows_->pairs()};
  }
  TurnQueries(packed, turns, view.unit.rows, scratch->span_rows);
  scratch->turn = {rope_rows_, first_tile, scratch->turned};
  scratch->turned_span = span;
  return &scratch->turn;
}

// Finds what each row sees. Heads of one token see the same.
void AttendWork::PlaceRows(const UnitView& view, AttendScratch* scratch) const {
  for (int32_t span = 0; span < view.row.row().span_count; ++span) {
    SlotRange range;
    for (int32_t i = 0; i < view.unit.rows; ++i) {
      const int32_t row = view.unit.first_row + i;
      if (i == 0 || row % group_ == 0) {
        range = view.row.Visible(span, view.entry.row_position + row / group_);
      }
      scratch->begin[span][i] = static_cast<int32_t>(range.begin);
      scratch->end[span][i] = static_cast<int32_t>(range.end);
    }
  }
}

PackedRows AttendWork::QueriesOf(const UnitView& view, int32_t span, const float* packed,
                                 AttendScratch* scratch) const {
  const TileTurn* turn = TurnToSpan(view, span, packed, scratch);
  return {turn == nullptr ? packed : scratch->span_rows,
          scratch->begin[span],
          scratch->end[span],
          view.unit.rows,
          query_units_.soft_cap,
          turn};
}

TileRange AttendWork::TilesOf(int32_t chunk, const UnitView& view) const {
  const int32_t span = view.row.SpanOf(chunk);
  const SlotRange& visible = view.visible[span];
  const int64_t first = (chunk - view.row.FirstChunk(span)) * view.row.chunk_slots();
  TileRange range;
  range.reader = &view.readers[span];
  range.format = &view.row.row().spans[span].format->page;
  range.begin = visible.begin;
  range.end = visible.end;
  range.first_tile = std::max(first, visible.begin) / kTileSlots;
  range.last_tile =
      (std::min(first + view.row.chunk_slots(), visible.end) + kTileSlots - 1) / kTileSlots;
  if (visible.begin >= visible.end) range.last_tile = range.first_tile;
  return range;
}

// Where a unit's weights are kept for the mass; null: nowhere.
float* AttendWork::KeptWeights(const UnitView& view, AttendScratch* scratch) {
  if (view.unit.mass == MassSource::kScratch) return scratch->weights;
  if (view.unit.mass != MassSource::kShared) return nullptr;
  return reinterpret_cast<float*>(weights_.data()) + view.unit.weights_offset;
}

WeightRows AttendWork::WeightsOf(const TileRange& range, int32_t chunk, const UnitView& view,
                                      AttendScratch* scratch) {
  const AttendUnit& unit = view.unit;
  float* base = KeptWeights(view, scratch);
  WeightRows weights;
  weights.logits = scratch->logits;
  if (base == nullptr) return weights;
  const int64_t tiles = int64_t{unit.last_chunk - unit.first_chunk} * view.row.chunk_tiles();
  const int64_t tile = view.TileNumber(view.row.SpanOf(chunk), range.first_tile);
  weights.kept = base + tile * unit.rows * kTileSlots;
  weights.bases = base + tiles * unit.rows * kTileSlots + tile * kMaxKeptRows;
  weights.past_caches = unit.mass == MassSource::kShared;
  return weights;
}

void AttendWork::ReduceChunk(int32_t chunk, const UnitView& view, const AttendTile* after,
                             const AttendState& state, AttendScratch* scratch) {
  TileRange range = TilesOf(chunk, view);
  if (range.first_tile >= range.last_tile) {
    return ClearState(view.unit.rows, args_.layer->v_dim, state);
  }
  range.after = after;
  AttendChunk(QueriesOf(view, view.row.SpanOf(chunk), scratch->packed, scratch), range,
              WeightsOf(range, chunk, view, scratch), state);
}

// The first segment of a unit folds its chunks into one state and returns it;
// the others leave each chunk's state where FoldSegments finds it.
AttendState AttendWork::ReduceChunks(const AttendSegment& segment, const UnitView& view,
                                     const AttendTile* after, AttendScratch* scratch) {
  const AttendUnit& unit = view.unit;
  const int32_t v_dim = args_.layer->v_dim;
  const bool folds = segment.first_chunk == unit.first_chunk;
  const AttendSegment& first = plan_.segments()[static_cast<size_t>(unit.first_segment)];
  const AttendState chunk_state = {scratch->chunk_max, scratch->chunk_sum, scratch->chunk_out};
  AttendState state = {scratch->max, scratch->sum, scratch->out};
  if (unit.segment_count > 1) state = PartialState(unit, 0);
  if (folds) ClearState(unit.rows, v_dim, state);
  for (int32_t chunk = segment.first_chunk; chunk < segment.last_chunk; ++chunk) {
    AttendTile next_tile;
    const AttendTile* next = after;
    if (chunk + 1 < segment.last_chunk) {
      const TileRange range = TilesOf(chunk + 1, view);
      next = nullptr;
      if (range.first_tile < range.last_tile) {
        next_tile = range.reader->At(range.first_tile, range.begin, range.end);
        next = &next_tile;
      }
    }
    const AttendState& target =
        folds ? chunk_state : PartialState(unit, 1 + chunk - first.last_chunk);
    ReduceChunk(chunk, view, next, target, scratch);
    if (folds) FoldChunk(chunk_state, unit.rows, v_dim, state);
  }
  return state;
}

AttendState AttendWork::PartialState(const AttendUnit& unit, int64_t index) {
  const int64_t rows = unit.rows;
  float* base = partials_.data() + unit.partial_offset +
                index * StateFloats(rows, args_.layer->v_dim);
  return {base, base + rows, base + 2 * rows};
}

// Whether this was the last segment of its unit to be done.
bool AttendWork::Arrive(const AttendSegment& segment) {
  const AttendUnit& unit = plan_.units()[static_cast<size_t>(segment.unit)];
  std::atomic_ref<int32_t> arrived(arrived_[static_cast<size_t>(segment.unit)]);
  return arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == unit.segment_count;
}

void AttendWork::FoldSegments(const AttendUnit& unit) {
  const AttendSegment& first = plan_.segments()[static_cast<size_t>(unit.first_segment)];
  const AttendState state = PartialState(unit, 0);
  for (int32_t chunk = first.last_chunk; chunk < unit.last_chunk; ++chunk) {
    FoldChunk(PartialState(unit, 1 + chunk - first.last_chunk), unit.rows, args_.layer->v_dim,
              state);
  }
}

// Writes the answer of a row; returns its log-sum-exp in units of log2, or +inf
// for a row that adds no mass.
float AttendWork::AnswerRow(const UnitView& view, int32_t index, const AttendState& state,
                            bool finite) {
  const LayerShape& layer = *args_.layer;
  const int64_t row = view.unit.first_row + index;
  const int64_t head = view.unit.kv_head * group_ + row % group_;
  const int64_t answer = (view.entry.call_token + row / group_) * layer.q_heads + head;
  const bool seen = finite && state.sum[index] > 0.0f;
  float log_sum = kInfinity;
  float factor = 0.0f;
  if (seen) {
    float max = state.max[index];
    float sum = state.sum[index];
    factor = 1.0f;
    if (layer.sink_logits != nullptr) {
      const float sink = layer.sink_logits[head] * kLog2E;
      const float larger = std::max(max, sink);
      factor = std::exp2(max - larger);
      sum = sum * factor + std::exp2(sink - larger);
      max = larger;
    }
    factor /= sum;
    log_sum = max + std::log2(sum);
    if (args_.lse != nullptr) args_.lse[answer] = max * kLn2 + std::log(sum);
  } else if (args_.lse != nullptr) {
    args_.lse[answer] = -kInfinity;
  }
  float* values = state.out + int64_t{index} * layer.v_dim;
  if (!seen) std::fill_n(values, layer.v_dim, 0.0f);
  StoreOutput(values, factor, layer.v_dim, args_.dtype,
              Offset(args_.out, answer * layer.v_dim, args_.dtype));
  return log_sum;
}

void AttendWork::FinishUnit(const UnitView& view, const AttendState& state,
                            AttendScratch* scratch) {
  const AttendUnit& unit = view.unit;
  int64_t non_finite = 0;
  for (int32_t i = 0; i < unit.rows; ++i) {
    scratch->log_sums[i] = AnswerRow(view, i, state, scratch->finite[i]);
    if (!scratch->finite[i]) ++non_finite;
  }
  if (non_finite != 0) non_finite_.fetch_add(non_finite, std::memory_order_relaxed);
  if (unit.mass == MassSource::kNone) return;
  std::copy_n(scratch->log_sums, unit.rows, log_sums_.data() + unit.log_sum_offset);
  if (unit.mass == MassSource::kKeys) {
    std::copy_n(scratch->packed, int64_t{unit.rows} * args_.layer->k_dim,
                queries_.data() + unit.queries_offset);
  }
  if (unit.mass != MassSource::kScratch) return;
  const int64_t tiles = int64_t{unit.row_chunks} * view.row.chunk_tiles();
  RunMassPiece({static_cast<int32_t>(&unit - plan_.units().data()), 1, 0, tiles}, scratch);
}

void AttendWork::WeighRows(const UnitView& view, AttendScratch* scratch) const {
  const float* log_sums = log_sums_.data() + view.unit.log_sum_offset;
  for (int32_t i = 0; i < view.unit.rows; ++i) {
    const int64_t token = (view.unit.first_row + i) / group_;
    const bool adds = log_sums[i] < kInfinity;
    scratch->log_sums[i] = log_sums[i];
    scratch->row_weights[i] =
        adds ? MassWeight(args_.mass, token, view.entry.token_count) * GroupFactor(args_.mass, group_)
             : 0.0f;
  }
}

void AttendWork::RunMassPiece(const MassPiece& piece, AttendScratch* scratch) {
  const UnitView head(pool_, *args_.layer, plan_, piece.first_unit);
  for (int32_t span = 0; span < head.row.row().span_count; ++span) {
    const TileRun run = TilesOfSpan(head.row, span, piece.first_tile, piece.last_tile);
    if (run.first < run.last) AddMassOfSpan(piece, head, span, run, scratch);
  }
}

// The units of a kv head one after the other, so that each slot's sum has one
// order: query rows ascending.
void AttendWork::AddMassOfSpan(const MassPiece& piece, const UnitView& head, int32_t span,
                               const TileRun& run, AttendScratch* scratch) {
  const SpanScores scores(pool_, args_, head.entry, head.row, span);
  if (!scores.exist()) return;
  float* sums = scratch->chunk_out;
  const int64_t tile_sums = int64_t{head.entry.sum_count} * kTileSlots;
  const int64_t batch = std::min<int64_t>(32, AttendScratch::kFloats / tile_sums);  // of tiles
  for (int64_t first = run.first; first < run.last; first += batch) {
    const TileRun tiles = {first, std::min(first + batch, run.last)};
    std::fill_n(sums, (tiles.last - first) * tile_sums, 0.0f);
    scores.Prefetch(tiles);
    AddMassOfUnit(head, span, tiles, scratch, sums);
    for (int32_t i = 1; i < piece.unit_count; ++i) {
      const UnitView view(pool_, *args_.layer, plan_, piece.first_unit + i);
      AddMassOfUnit(view, span, tiles, scratch, sums);
    }
    for (int64_t tile = first; tile < tiles.last; ++tile) {
      scores.Update(tile, sums + (tile - first) * tile_sums);
    }
  }
}

void AttendWork::AddMassOfUnit(const UnitView& view, int32_t span, const TileRun& tiles,
                               AttendScratch* scratch, float* sums) {
  WeighRows(view, scratch);
  scratch->turned_span = -1;
  if (view.unit.mass == MassSource::kKeys) PlaceRows(view, scratch);
  const int64_t tile_sums = int64_t{view.entry.sum_count} * kTileSlots;
  for (int64_t tile = tiles.first; tile < tiles.last; ++tile, sums += tile_sums) {
    if (view.Sees(span, tile)) AddMassOfTile(view, span, tile, scratch, sums);
  }
}

void AttendWork::AddMassOfTile(const UnitView& view, int32_t span, int64_t tile,
                               AttendScratch* scratch, float* sums) {
  const AttendUnit& unit = view.unit;
  MassTile mass;
  mass.log_sums = scratch->log_sums;
  mass.weights = scratch->row_weights;
  mass.rows = unit.rows;
  mass.squared = args_.mass.squared;
  mass.first_row = unit.first_row;
  mass.sum_count = view.entry.sum_count;
  if (unit.mass == MassSource::kKeys) {
    const PackedRows queries =
        QueriesOf(view, span, queries_.data() + unit.queries_offset, scratch);
    const SlotRange& visible = view.visible[span];
    AddMassOfKeys(queries, view.row.row().spans[span].format->page,
                  view.readers[span].At(tile, visible.begin, visible.end), mass, scratch->logits,
                  sums);
    return;
  }
  const float* base = KeptWeights(view, scratch);
  const int64_t tiles = int64_t{unit.last_chunk - unit.first_chunk} * view.row.chunk_tiles();
  const int64_t number = view.TileNumber(span, tile);
  mass.values = base + number * unit.rows * kTileSlots;
  mass.bases = base + tiles * unit.rows * kTileSlots + number * kMaxKeptRows;
  constexpr int64_t kAhead = 6;  // tiles
  const float* ahead = mass.values + kAhead * unit.rows * kTileSlots;
  for (int64_t i = 0; i < int64_t{unit.rows} * kTileSlots; i += 16) {
    __builtin_prefetch(ahead + i, 0, 3);
  }
  __builtin_prefetch(mass.bases + kAhead * kMaxKeptRows, 0, 3);
  AddMass(mass, sums);
}

}  // namespace sluice::cpu
