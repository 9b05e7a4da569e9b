// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/window_plan.h"

#include <algorithm>

#include "kernels/core/layout.h"
#include "kernels/core/observation.h"
#include "kernels/cpu/work.h"

namespace sluice::cpu {
namespace {

// Of an item: some 60 us of a worker.
constexpr int64_t kItemFlops = int64_t{5} << 20;
// What the softmax of a row costs a slot beside the product.
constexpr int64_t kSoftmaxFlops = 48;
// Most groups of an item, and most (slot, offset) pairs of one that pools.
constexpr int64_t kItemGroups = 2048;
constexpr int64_t kItemPairs = 131072;

// Items of less than a tile divide it; the others are whole tiles.
int64_t PieceGroups(int64_t group_flops) {
  const int64_t groups =
      std::clamp<int64_t>(kItemFlops / std::max<int64_t>(1, group_flops), 1, kItemGroups);
  if (groups >= kTileGroups) return groups / kTileGroups * kTileGroups;
  return groups == 3 ? 2 : groups;
}

}  // namespace

WindowHead::WindowHead(const PoolView& pool, const WindowScoreArgs& args, int32_t row_index)
    : row(pool, AttendEntry{args.rows.entry, 0, 0, args.length, args.length}, *args.layer,
          args.rows.first_row - args.layer->first_row + row_index),
      kv_head(args.rows.first_row - args.layer->first_row + row_index) {
  const int64_t snapshot = args.rows.entry->base_length;
  for (int32_t s = 0; s < row.row().span_count; ++s) {
    const Span& span = row.row().spans[s];
    readers[s] = TileReader(pool, span, row.chunks(s));
    const int64_t scored =
        span.contiguous ? std::max<int64_t>(0, snapshot - span.first_position) : span.slots;
    scored_end[s] = scored == 0 ? 0 : row.chunks(s).lead + scored;
  }
}

int64_t WindowHead::SpanChunkCount(int32_t span) const {
  return CeilDivide(row.chunks(span).end, kSumChunkSlots);
}

int64_t WindowHead::chunk_count() const {
  int64_t count = 0;
  for (int32_t s = 0; s < row.row().span_count; ++s) count += SpanChunkCount(s);
  return count;
}

int64_t WindowHead::scored_slots() const {
  int64_t slots = 0;
  for (int32_t s = 0; s < row.row().span_count; ++s) {
    if (scored_end[s] > 0) slots += scored_end[s] - row.chunks(s).lead;
  }
  return slots;
}

void WindowPlan::Make(const PoolView& pool, const WindowScoreArgs& args) {
  heads_.clear();
  units_.clear();
  pieces_.clear();
  chunks_.clear();
  pool_runs_.clear();
  chunk_count_ = 0;
  k_dim_ = args.layer->k_dim;
  FindRows(args);
  const auto rows = static_cast<int64_t>(positions_.size());
  const int32_t group = args.layer->q_heads / args.layer->kv_heads;
  units_of_query_head_ = CeilDivide(rows, kMaxUnitRows);
  units_of_head_ = units_of_query_head_ * group;
  const int64_t row_flops = kGroupSlots * (2 * int64_t{k_dim_} + kSoftmaxFlops);
  const int64_t groups = PieceGroups(rows * group * row_flops);
  for (int32_t r = 0; r < args.rows.row_count; ++r) {
    heads_.emplace_back(pool, args, r);
    AddUnits(r, group);
    AddPieces(r, groups);
    if (args.pool != WindowPool::kNone) AddPoolRuns(args, r);
  }
}

void WindowPlan::FindRows(const WindowScoreArgs& args) {
  positions_.clear();
  const int64_t first = std::max<int64_t>(0, args.length - args.window);
  for (int64_t position = first; position < args.length; ++position) {
    if (HoldsObservation(args.observation, args.layout, position)) positions_.push_back(position);
  }
}

void WindowPlan::AddUnits(int32_t head, int32_t group) {
  const auto rows = static_cast<int64_t>(positions_.size());
  for (int32_t g = 0; g < group; ++g) {
    for (int64_t i = 0; i < units_of_query_head_; ++i) {
      WindowUnit& unit = units_.emplace_back();
      unit.head = head;
      unit.q_head = heads_[static_cast<size_t>(head)].kv_head * group + g;
      unit.first_row = static_cast<int32_t>(rows * i / units_of_query_head_);
      unit.rows = static_cast<int32_t>(rows * (i + 1) / units_of_query_head_) - unit.first_row;
      unit.place = (int64_t{head} * group + g) * rows + unit.first_row;
    }
  }
}

void WindowPlan::AddPieces(int32_t head, int64_t groups) {
  const WindowHead& window_head = heads_[static_cast<size_t>(head)];
  for (int32_t span = 0; span < window_head.row.row().span_count; ++span) {
    const int64_t end = CeilDivide(window_head.scored_end[span], kGroupSlots);
    for (int64_t first = 0; first < end; first += groups) {
      pieces_.push_back({head, span, first, std::min(first + groups, end)});
    }
  }
}

void WindowPlan::AddPoolRuns(const WindowScoreArgs& args, int32_t row_index) {
  const int64_t slots = heads_[static_cast<size_t>(row_index)].scored_slots();
  const int64_t offsets = std::min<int64_t>(args.pool_width, 2 * slots);
  const int64_t run = std::max<int64_t>(64, kItemPairs / std::max<int64_t>(1, offsets));
  for (int64_t first = 0; first < slots; first += run) {
    pool_runs_.push_back({row_index, first, std::min(first + run, slots)});
  }
}

void WindowPlan::CutChunks(const std::vector<uint8_t>& needed) {
  for (int32_t u = 0; u < static_cast<int32_t>(units_.size()); ++u) {
    if (needed[static_cast<size_t>(u)] == 0) continue;
    WindowUnit& unit = units_[static_cast<size_t>(u)];
    const int64_t count = heads_[static_cast<size_t>(unit.head)].chunk_count();
    const int64_t flops = unit.rows * kSumChunkSlots * (2 * int64_t{k_dim_} + kSoftmaxFlops);
    const int64_t run = std::max<int64_t>(1, kItemFlops / flops);
    unit.first_chunk = chunk_count_;
    chunk_count_ += count;
    for (int64_t first = 0; first < count; first += run) {
      chunks_.push_back({u, first, std::min(first + run, count)});
    }
  }
}

}  // namespace sluice::cpu
