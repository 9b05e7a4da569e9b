// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// Kernels of WindowScore (ops.h), launched in this order: query rows are brought to fp32; the
// log-sum-exp of those of which it is not known is summed by chunks and folded; every slot's
// score is made, by threads that own it; scores are pooled.

#include <math.h>

#include "kernels/core/number.h"
#include "kernels/core/pooling.h"
#include "kernels/device/item_search.h"
#include "kernels/device/window_tiles.h"

namespace sluice::device {

// A warp brings one query row to fp32.
struct PackWindowKernel {
  WindowLaunch launch;
  const std::byte* observation = nullptr;
  ObservationLayout layout;
  int64_t length = 0;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t items = launch.QueryRow(launch.row_count, 0);
    ForEachOfWarp(block, items, [&](int64_t item) {
      const int64_t position = launch.first_position + item % launch.query_rows;
      const auto head =
          static_cast<int32_t>(item / launch.query_rows) + launch.first_q_head;
      const bool held = position < length && HoldsObservation(observation, layout, position);
      const std::byte* const kept = observation + ObservedQueryOffset(layout, position, head);
      for (int32_t dim = block.lane(); dim < launch.k_dim; dim += kWarpThreads) {
        launch.queries[item * launch.k_dim + dim] =
            held ? LoadAsFloat(kept, layout.dtype, dim) : 0.0f;
      }
      if (block.lane() == 0) launch.log_sums[item] = held ? LogSumOf(position, head) : kNothing;
    });
  }

 private:
  static constexpr float kNothing = __builtin_huge_valf();

  SLUICE_HD float LogSumOf(int64_t position, int32_t head) const {
    const std::byte* const at = observation + ObservedLseOffset(layout, position);
    const float lse = reinterpret_cast<const float*>(at)[head];
    return lse == -kNothing ? kNothing : lse;
  }
};

// The largest logit of some slots, and the sum of exp(logit - max) over them.
struct LogitSum {
  float max = -__builtin_huge_valf();
  float sum = 0.0f;

  SLUICE_HD void Add(float logit) {
    if (logit == -__builtin_huge_valf()) return;
    const bool larger = logit > max;
    const float factor = expf(larger ? max - logit : logit - max);
    sum = larger ? sum * factor + 1.0f : sum + factor;
    max = larger ? logit : max;
  }

  SLUICE_HD void Add(const LogitSum& other) {
    if (other.sum == 0.0f) return;
    const float larger = other.max > max ? other.max : max;
    sum = sum * expf(max - larger) + other.sum * expf(other.max - larger);
    max = larger;
  }
};

// A block sums a chunk of a row for a batch of query rows of some heads. Half a tile's slots
// leave a sum each, so that a warp has its own.
struct SumWindowKernel {
  WindowLaunch launch;
  int64_t items = 0;
  LogitSum* sums = nullptr;  // [chunks of all rows, 2, group, query_rows]

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int32_t batches = launch.query_rows / kWindowBatch;
    const int32_t units = batches * UnitHeads();
    for (int64_t item = block.index(); item < items; item += block.count()) {
      const int64_t chunk = item / units;
      const auto unit = static_cast<int32_t>(item % units);
      const WindowRow& row = RecordOf(launch.rows, launch.row_count, chunk,
                                      [](const WindowRow& r) { return r.first_chunk; });
      const Unit work{unit / batches * launch.heads_at_once, unit % batches * kWindowBatch};
      if (AnyUnknown(row, work)) SumChunk(block, row, chunk, work);
    }
  }

  SLUICE_HD int32_t UnitHeads() const {
    return (launch.group + launch.heads_at_once - 1) / launch.heads_at_once;
  }

 private:
  struct Unit {
    int32_t first_head;
    int32_t first_row;
  };

  SLUICE_HD bool AnyUnknown(const WindowRow& row, const Unit& unit) const {
    bool any = false;
    for (int32_t i = 0; i < launch.heads_at_once && unit.first_head + i < launch.group; ++i) {
      const float* const known =
          launch.log_sums + launch.QueryRow(row.index, unit.first_head + i) + unit.first_row;
      for (int32_t k = 0; k < kWindowBatch; ++k) any = any || !LseIsKnown(known[k]);
    }
    return any;
  }

  template <class Block>
  SLUICE_HD void SumChunk(Block& block, const WindowRow& row, int64_t chunk,
                          const Unit& unit) const {
    const int64_t of_row = chunk - row.first_chunk;
    const int64_t before = row.spans[0].chunks.count;
    const WindowSpan& span = row.spans[of_row < before ? 0 : 1];
    const int64_t first = (of_row < before ? of_row : of_row - before) * row.chunk_slots;
    const int64_t chunk_end = first + row.chunk_slots;
    const int64_t end = chunk_end < span.chunks.end ? chunk_end : span.chunks.end;
    const int32_t head = unit.first_head + block.thread() / kTileSlots;
    WindowTile tile(launch, span, block.shared());
    LogitSum state[kWindowBatch];
    for (int64_t index = first / kTileSlots; index * kTileSlots < end; ++index) {
      if (!tile.IsSeen(index)) continue;
      block.Sync();
      tile.Load(block, index);
      if (head < launch.group) AddTile(row, span, tile, head, unit.first_row, state);
    }
    StoreSums(block, chunk, head, unit.first_row, state);
  }

  SLUICE_HD void AddTile(const WindowRow& row, const WindowSpan& span, const WindowTile& tile,
                         int32_t head, int32_t first_row,
                         LogitSum (&state)[kWindowBatch]) const {
    const float* const queries =
        launch.queries + (launch.QueryRow(row.index, head) + first_row) * launch.k_dim;
    WithDtype(span.span.format->page.dtype, [&](auto dtype) {
      float logits[kWindowBatch];
      tile.Logits<decltype(dtype)::value>(queries, first_row, logits);
      for (int32_t i = 0; i < kWindowBatch; ++i) state[i].Add(logits[i]);
    });
  }

  // The sum over a warp's lanes, of each query row. The lanes of a warp share a head.
  template <class Block>
  SLUICE_HD void StoreSums(Block& block, int64_t chunk, int32_t head, int32_t first_row,
                           const LogitSum (&state)[kWindowBatch]) const {
    const int32_t half = block.thread() / kWarpThreads % 2;
    LogitSum* const to = sums + ((chunk * 2 + half) * launch.group + head) * launch.query_rows;
    for (int32_t i = 0; i < kWindowBatch; ++i) {
      LogitSum total;
      total.max = WarpMax(block, state[i].max);
      total.sum = WarpSum(
          block, state[i].sum == 0.0f ? 0.0f : state[i].sum * expf(state[i].max - total.max));
      if (block.lane() == 0 && head < launch.group) to[first_row + i] = total;
    }
  }
};

// A thread folds the chunks' sums of a query row, from the left.
struct FoldWindowKernel {
  WindowLaunch launch;
  const LogitSum* sums = nullptr;  // as SumWindowKernel left them

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    const int64_t stride = launch.QueryRow(1, 0);
    const int64_t items = launch.row_count * stride;
    for (int64_t item = block.index() * block.threads() + block.thread(); item < items;
         item += block.count() * block.threads()) {
      if (LseIsKnown(launch.log_sums[item])) continue;
      const WindowRow& row = launch.rows[item / stride];
      const LogitSum* const of_row = sums + row.first_chunk * 2 * stride + item % stride;
      LogitSum total;
      for (int64_t i = 0; i < row.chunk_count() * 2; ++i) total.Add(of_row[i * stride]);
      const auto head =
          static_cast<int32_t>(item / launch.query_rows) + launch.first_q_head;
      launch.log_sums[item] = LogSum(total, head);
    }
  }

 private:
  SLUICE_HD float LogSum(LogitSum total, int32_t head) const {
    if (total.sum == 0.0f) return __builtin_huge_valf();
    if (launch.sink_logits != nullptr) total.Add(launch.sink_logits[head]);
    return total.max + logf(total.sum);
  }
};

// A block makes the scores of a tile: a thread adds up the weights of one head's rows for
// one slot, in order, then one thread a slot reduces over the heads, in order. Where a
// launch has some of a kv head's query heads, it goes on from what those before left.
struct ScoreWindowKernel {
  WindowLaunch launch;
  int64_t items = 0;
  GroupReduce reduce = GroupReduce::kMean;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t item = block.index(); item < items; item += block.count()) {
      const WindowRow& row = RecordOf(launch.rows, launch.row_count, item,
                                      [](const WindowRow& r) { return r.first_tile; });
      const int64_t of_row = item - row.first_tile;
      const int64_t before = row.TileCount(0);
      const WindowSpan& span = row.spans[of_row < before ? 0 : 1];
      ScoreTile(block, row, span, of_row < before ? of_row : of_row - before);
    }
  }

 private:
  template <class Block>
  SLUICE_HD void ScoreTile(Block& block, const WindowRow& row, const WindowSpan& span,
                           int64_t index) const {
    float* const sums = reinterpret_cast<float*>(
        block.shared() + WindowSharedBytes(launch.key_bytes, 0));
    const int32_t slot = block.thread() % kTileSlots;
    WindowTile tile(launch, span, block.shared());
    const bool seen = tile.IsSeen(index);
    if (seen) {
      tile.Load(block, index);
      for (int32_t head = block.thread() / kTileSlots; head < launch.group;
           head += launch.heads_at_once) {
        sums[head * kTileSlots + slot] = HeadSum(row, span, tile, head);
      }
    }
    block.Sync();
    if (block.thread() < kTileSlots) {
      const int64_t at = index * kTileSlots + slot;
      if (at >= span.chunks.lead && at < span.scored_end) {
        float& raw = row.raw[span.first_score + at - span.chunks.lead];
        raw = seen ? Reduce(sums + slot, launch.heads_before == 0 ? 0.0f : raw) : 0.0f;
      }
    }
    block.Sync();
  }

  SLUICE_HD float HeadSum(const WindowRow& row, const WindowSpan& span, const WindowTile& tile,
                          int32_t head) const {
    const int64_t first = launch.QueryRow(row.index, head);
    float sum = 0.0f;
    WithDtype(span.span.format->page.dtype, [&](auto dtype) {
      for (int32_t i = 0; i < launch.query_rows; i += kWindowBatch) {
        float logits[kWindowBatch];
        tile.Logits<decltype(dtype)::value>(launch.queries + (first + i) * launch.k_dim, i,
                                            logits);
        for (int32_t k = 0; k < kWindowBatch; ++k) {
          sum += expf(logits[k] - launch.log_sums[first + i + k]);
        }
      }
    });
    return sum;
  }

  // `sums`: of a slot, the heads' a tile apart; `reduced`: over the heads before.
  SLUICE_HD float Reduce(const float* sums, float reduced) const {
    for (int32_t head = 0; head < launch.group; ++head) {
      const float sum = sums[head * kTileSlots];
      reduced = reduce == GroupReduce::kMax ? (sum > reduced ? sum : reduced) : reduced + sum;
    }
    const bool ends = launch.heads_before + launch.group == launch.whole_group;
    return ends && reduce == GroupReduce::kMean
               ? reduced / static_cast<float>(launch.whole_group)
               : reduced;
  }
};

// A block pools a run of a row's scores, a slot a thread.
struct PoolWindowKernel {
  static constexpr int32_t kRunSlots = 128;

  const WindowRow* rows = nullptr;  // [row_count], of the device
  int32_t row_count = 0;
  int64_t items = 0;
  WindowPool pool = WindowPool::kAverage;
  int32_t width = 1;

  template <class Block>
  SLUICE_HD void operator()(Block& block) const {
    for (int64_t item = block.index(); item < items; item += block.count()) {
      const WindowRow& row =
          RecordOf(rows, row_count, item, [](const WindowRow& r) { return r.first_run; });
      const int64_t first = (item - row.first_run) * kRunSlots;
      ForEachOfBlock(block, kRunSlots, [&](int64_t i) {
        const int64_t slot = first + i;
        if (slot >= row.scored_slots) return;
        float pooled = 0.0f;
        PoolScores(row.raw, row.scored_slots, pool, width, slot, slot + 1, &pooled);
        row.scores[slot] = pooled;
      });
    }
  }
};

}  // namespace sluice::device
