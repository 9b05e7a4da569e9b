// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attend_plan.h"

#include <algorithm>

#include "kernels/core/mass.h"

namespace sluice::cpu {
namespace {

// What the cut reckons with: a worker's share of memory bandwidth and of
// arithmetic. They decide how evenly work is dealt, never a result.
constexpr double kNsPerByte = 0.05;
constexpr double kNsPerFlop = 1.0 / 85;

constexpr int64_t kMaxItemNs = 450'000;
constexpr int64_t kMinItemNs = 50'000;
constexpr int64_t kWantedItems = 32;

// Memory for the states of units that are cut.
constexpr int64_t kMaxPartialFloats = int64_t{4} << 20;

int64_t CeilDiv(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

}  // namespace

void AttendPlan::Make(const PoolView& pool, const AttendArgs& args, int64_t scratch_floats) {
  layer_ = args.layer;
  entries_.clear();
  units_.clear();
  segments_.clear();
  item_starts_.clear();
  mass_pieces_.clear();
  partial_floats_ = weights_floats_ = log_sum_floats_ = queries_floats_ = 0;
  AddEntries(pool, args);
  for (int32_t entry = 0; entry < static_cast<int32_t>(entries_.size()); ++entry) {
    const PageFormat& format = pool.formats[entries_[entry].entry->tail_format].page;
    slot_bytes_ = (layer_->k_dim + layer_->v_dim) * DtypeBytes(format.dtype);
    for (int32_t head = 0; head < layer_->kv_heads; ++head) AddUnits(pool, args, entry, head);
  }
  CutUnits();
  if (args.accumulate_mass) PlaceMass(args, scratch_floats);
}

void AttendPlan::AddEntries(const PoolView& pool, const AttendArgs& args) {
  const int64_t call_end = args.first_token + args.token_count;
  for (int32_t i = 0; i < args.view->entry_count; ++i) {
    const ViewEntry& entry = args.view->entries[i];
    const int64_t begin = std::max(entry.first_token, args.first_token);
    const int64_t end = std::min(entry.first_token + entry.token_count, call_end);
    if (begin >= end) continue;
    AttendEntry& added = entries_.emplace_back();
    added.entry = &entry;
    added.token_count = end - begin;
    added.call_token = begin - args.first_token;
    added.first_position = entry.base_length + begin - entry.first_token;
    added.row_position = RowPosition(pool, entry, added.first_position);
    added.cascade = entry.cascade_offset != kNoOffset;
    if (!added.cascade) continue;
    added.sum_count = PendingSums(args.mass.reduce, args.layer->q_heads / args.layer->kv_heads);
  }
}

void AttendPlan::AddUnits(const PoolView& pool, const AttendArgs& args, int32_t entry_index,
                          int32_t kv_head) {
  const AttendEntry& entry = entries_[entry_index];
  const AttendRow row(pool, entry, *args.layer, kv_head);
  const int64_t group = layer_->q_heads / layer_->kv_heads;
  const int64_t rows = entry.token_count * group;
  for (int64_t first = 0; first < rows; first += kMaxUnitRows) {
    AttendUnit& unit = units_.emplace_back();
    unit.entry = entry_index;
    unit.kv_head = kv_head;
    unit.first_row = static_cast<int32_t>(first);
    unit.rows = static_cast<int32_t>(std::min<int64_t>(kMaxUnitRows, rows - first));
    const int64_t last_token = (first + unit.rows - 1) / group;
    const SlotRange chunks =
        row.VisibleChunks(entry.row_position + first / group, entry.row_position + last_token);
    unit.first_chunk = static_cast<int32_t>(chunks.begin);
    unit.last_chunk = static_cast<int32_t>(chunks.end);
    unit.chunk_slots = static_cast<int32_t>(row.chunk_slots());
    unit.row_chunks = row.chunk_count();
    unit.slots = std::min((chunks.end - chunks.begin) * row.chunk_slots(), row.row().slots);
  }
}

// A row of many spans has many chunks that are not full: the mean counts.
int64_t AttendPlan::ChunkCost(const AttendUnit& unit) const {
  const double flops = 2.0 * unit.rows * (layer_->k_dim + layer_->v_dim);
  const double slot_ns =
      std::max(kNsPerByte * static_cast<double>(slot_bytes_), kNsPerFlop * flops);
  const int64_t chunks = std::max(1, unit.last_chunk - unit.first_chunk);
  return 1 + static_cast<int64_t>(slot_ns * static_cast<double>(unit.slots)) / chunks;
}

int64_t AttendPlan::SegmentChunks(const AttendUnit& unit, int64_t target_ns) const {
  return std::max<int64_t>(1, target_ns / ChunkCost(unit));
}

int64_t AttendPlan::PartialFloats(const AttendUnit& unit, int64_t segment_chunks) const {
  const int64_t chunks = unit.last_chunk - unit.first_chunk;
  if (chunks <= segment_chunks) return 0;
  return StateFloats(unit.rows, layer_->v_dim) * (1 + chunks - segment_chunks);
}

bool AttendPlan::AllPartialsFit(int64_t target_ns) const {
  int64_t floats = 0;
  for (const AttendUnit& unit : units_) {
    floats += PartialFloats(unit, SegmentChunks(unit, target_ns));
  }
  return floats <= kMaxPartialFloats;
}

// Units of few rows are cut whenever they are long. Those of many rows have
// large states and mostly many siblings: they are cut only while memory allows.
void AttendPlan::CutUnits() {
  int64_t total_ns = 0;
  for (const AttendUnit& unit : units_) {
    total_ns += ChunkCost(unit) * (unit.last_chunk - unit.first_chunk);
  }
  const int64_t target_ns = std::clamp(total_ns / kWantedItems, kMinItemNs, kMaxItemNs);
  const bool all_fit = AllPartialsFit(target_ns);
  for (AttendUnit& unit : units_) {
    const bool cut = unit.rows <= kMaxKeptRows || all_fit;
    CutUnit(cut ? SegmentChunks(unit, target_ns) : unit.last_chunk - unit.first_chunk, &unit);
  }
  GroupSegments(target_ns);
}

void AttendPlan::CutUnit(int64_t segment_chunks, AttendUnit* unit) {
  unit->first_segment = static_cast<int32_t>(segments_.size());
  const int64_t chunks = unit->last_chunk - unit->first_chunk;
  const int64_t count = std::max<int64_t>(1, segment_chunks > 0 ? CeilDiv(chunks, segment_chunks) : 1);
  for (int64_t i = 0; i < count; ++i) {
    AttendSegment& segment = segments_.emplace_back();
    segment.unit = static_cast<int32_t>(unit - units_.data());
    segment.first_chunk = unit->first_chunk + static_cast<int32_t>(chunks * i / count);
    segment.last_chunk = unit->first_chunk + static_cast<int32_t>(chunks * (i + 1) / count);
  }
  unit->segment_count = static_cast<int32_t>(count);
  if (count == 1) return;
  const AttendSegment& first = segments_[static_cast<size_t>(unit->first_segment)];
  unit->partial_offset = partial_floats_;
  partial_floats_ += StateFloats(unit->rows, layer_->v_dim) * (1 + unit->last_chunk - first.last_chunk);
}

void AttendPlan::GroupSegments(int64_t target_ns) {
  int64_t item_ns = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(segments_.size()); ++i) {
    const AttendSegment& segment = segments_[i];
    const int64_t ns =
        ChunkCost(units_[segment.unit]) * (segment.last_chunk - segment.first_chunk);
    if (item_starts_.empty() || item_ns + ns > target_ns) {
      item_starts_.push_back(i);
      item_ns = 0;
    }
    item_ns += ns;
  }
  item_starts_.push_back(static_cast<int32_t>(segments_.size()));
}

void AttendPlan::PlaceMass(const AttendArgs& args, int64_t scratch_floats) {
  const int64_t group = layer_->q_heads / layer_->kv_heads;
  for (size_t i = 0; i < units_.size();) {
    const int64_t rows = entries_[units_[i].entry].token_count * group;
    const int32_t unit_count = static_cast<int32_t>(CeilDiv(rows, kMaxUnitRows));
    for (int32_t k = 0; k < unit_count; ++k) {
      AttendUnit& unit = units_[i + k];
      const int64_t tiles = int64_t{unit.last_chunk - unit.first_chunk} * unit.chunk_slots / kTileSlots;
      const int64_t weights = tiles * TileWeightFloats(unit.rows);
      unit.log_sum_offset = log_sum_floats_;
      log_sum_floats_ += unit.rows;
      if (rows > kMaxKeptRows) {
        unit.mass = MassSource::kKeys;
        unit.queries_offset = queries_floats_;
        queries_floats_ += RoundUp(int64_t{unit.rows} * args.layer->k_dim, 16);
      } else if (unit.segment_count == 1 && weights <= scratch_floats) {
        unit.mass = MassSource::kScratch;
      } else {
        unit.mass = MassSource::kShared;
        unit.weights_offset = weights_floats_;
        weights_floats_ += weights;
      }
    }
    if (units_[i].mass != MassSource::kScratch) AddMassPieces(static_cast<int32_t>(i), unit_count);
    i += unit_count;
  }
}

void AttendPlan::AddMassPieces(int32_t first_unit, int32_t unit_count) {
  const AttendUnit& unit = units_[first_unit];
  const int64_t tiles = int64_t{unit.row_chunks} * unit.chunk_slots / kTileSlots;
  const double rows = 64.0 * (unit_count - 1) + units_[first_unit + unit_count - 1].rows;
  const double row_ns = unit.mass == MassSource::kKeys ? 2 * kNsPerFlop * layer_->k_dim : 0.5;
  const int64_t tile_ns = 100 + static_cast<int64_t>(rows * kTileSlots * row_ns);
  const int64_t piece_tiles = std::max<int64_t>(1, kMaxItemNs / 2 / tile_ns);
  for (int64_t first = 0; first < tiles; first += piece_tiles) {
    mass_pieces_.push_back({first_unit, unit_count, first, std::min(first + piece_tiles, tiles)});
  }
}

}  // namespace sluice::cpu
