// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/window_score.h"

#include <algorithm>
#include <vector>

#include "kernels/device/window_kernels.h"

namespace sluice::device {
namespace {

// One operation on its way to launches of as many rows at a time as scratch holds.
class WindowLowering {
 public:
  WindowLowering(const WindowScoreArgs& args, Launcher& launcher)
      : args_(args), launcher_(launcher) {
    for (int32_t r = 0; r < args.rows.row_count; ++r) AddRow(r);
    const LayerShape layer = launcher.Layer(*args.layer);
    launch_.pool = launcher.pool();
    launch_.group = layer.q_heads / layer.kv_heads;
    launch_.heads_at_once = std::min(launch_.group, kMostWindowHeads);
    launch_.k_dim = layer.k_dim;
    launch_.scale = layer.scale;
    launch_.soft_cap = layer.soft_cap;
    launch_.sliding_window = layer.window;
    launch_.sink_logits = layer.sink_logits;
    launch_.first_position = std::max<int64_t>(0, args.length - args.window);
    const int64_t rows = std::max<int64_t>(1, args.length - launch_.first_position);
    launch_.query_rows = static_cast<int32_t>(RoundUp(rows, kWindowBatch));
    observation_ = launcher.In(args.observation, args.layout.bytes);
    scores_ = launcher.InOut(args.scores, args.rows.row_offsets[args.rows.row_count]);
  }

  void Run() {
    const auto count = static_cast<int32_t>(rows_.size());
    for (int32_t first = 0; first < count;) {
      launcher_.ResetScratch();
      int64_t bytes = ScratchBytes(rows_[static_cast<size_t>(first)]);
      int32_t last = first + 1;
      for (; last < count; ++last) {
        bytes += ScratchBytes(rows_[static_cast<size_t>(last)]);
        if (bytes > launcher_.scratch_left_bytes()) break;
      }
      LaunchRows(first, last);
      first = last;
    }
  }

 private:
  void AddRow(int32_t r) {
    const ViewEntry& entry = *args_.rows.entry;
    const Row row = MakeRow(launcher_.pool(), entry, args_.rows.first_row + r, args_.length);
    WindowRow& result = rows_.emplace_back();
    result.span_count = row.span_count;
    result.chunk_slots = ChunkSlots(row.slots);
    for (int32_t s = 0; s < row.span_count; ++s) {
      WindowSpan& span = result.spans[s];
      span.span = row.spans[s];
      span.chunks = ChunksOf(span.span, result.chunk_slots);
      // Every slot of a body lies below the snapshot.
      const int64_t scored =
          span.span.contiguous
              ? std::clamp<int64_t>(entry.base_length - span.span.first_position, 0,
                                    span.span.slots)
              : span.span.slots;
      span.scored_end = scored == 0 ? 0 : span.chunks.lead + scored;
      span.first_score = result.scored_slots;
      result.scored_slots += scored;
      const PageFormat& format = span.span.format->page;
      launch_.key_bytes = std::max(launch_.key_bytes, KeyTileShape(format).tile_bytes());
    }
  }

  int64_t QueryRows() const { return int64_t{launch_.group} * launch_.query_rows; }

  bool Pools() const { return args_.pool != WindowPool::kNone; }

  // With what alignment may add.
  int64_t ScratchBytes(const WindowRow& row) const {
    constexpr int64_t kAlignments = 4 * 256;
    const int64_t query_bytes = (int64_t{launch_.k_dim} + 1) * 4;
    const int64_t sum_bytes = row.chunk_count() * 2 * static_cast<int64_t>(sizeof(LogitSum));
    return kAlignments + QueryRows() * (query_bytes + sum_bytes) +
           (Pools() ? row.scored_slots * 4 : 0);
  }

  void LaunchRows(int32_t first, int32_t last) {
    int64_t chunks = 0;
    int64_t tiles = 0;
    int64_t runs = 0;
    for (int32_t r = first; r < last; ++r) {
      WindowRow& row = rows_[static_cast<size_t>(r)];
      row.index = r - first;
      row.first_chunk = chunks;
      row.first_tile = tiles;
      row.first_run = runs;
      row.scores = scores_ + args_.rows.row_offsets[r];
      row.raw = Pools() ? launcher_.Scratch<float>(row.scored_slots) : row.scores;
      chunks += row.chunk_count();
      tiles += row.TileCount(0) + row.TileCount(1);
      runs += (row.scored_slots + PoolWindowKernel::kRunSlots - 1) / PoolWindowKernel::kRunSlots;
    }
    const int64_t query_rows = (last - first) * QueryRows();
    launch_.rows = launcher_.In(rows_.data() + first, last - first);
    launch_.row_count = last - first;
    launch_.first_kv_head = args_.rows.first_row - args_.layer->first_row + first;
    launch_.queries = launcher_.Scratch<float>(query_rows * launch_.k_dim);
    launch_.log_sums = launcher_.Scratch<float>(query_rows);
    launcher_.Launch(PackWindowKernel{launch_, observation_, args_.layout, args_.length},
                     WarpItems(query_rows));
    LaunchSums(chunks);
    const LaunchShape tile_shape{tiles, launch_.heads_at_once * kTileSlots,
                                 WindowSharedBytes(launch_.key_bytes, launch_.group)};
    launcher_.Launch(ScoreWindowKernel{launch_, tiles, args_.reduce}, tile_shape);
    if (!Pools()) return;
    launcher_.Launch(PoolWindowKernel{launch_.rows, launch_.row_count, runs, args_.pool,
                                      args_.pool_width},
                     {runs, PoolWindowKernel::kRunSlots, 0});
  }

  void LaunchSums(int64_t chunks) {
    SumWindowKernel sum{launch_, 0, launcher_.Scratch<LogitSum>(chunks * 2 * QueryRows())};
    sum.items = chunks * sum.UnitHeads() * (launch_.query_rows / kWindowBatch);
    launcher_.Launch(sum, {sum.items, launch_.heads_at_once * kTileSlots,
                           WindowSharedBytes(launch_.key_bytes, 0)});
    const int64_t query_rows = launch_.row_count * QueryRows();
    launcher_.Launch(FoldWindowKernel{launch_, sum.sums}, {(query_rows + 127) / 128, 128, 0});
  }

  const WindowScoreArgs& args_;
  Launcher& launcher_;
  WindowLaunch launch_;
  std::vector<WindowRow> rows_;
  const std::byte* observation_ = nullptr;
  float* scores_ = nullptr;
};

}  // namespace

void LowerWindowScore(const WindowScoreArgs& args, Launcher& launcher) {
  WindowLowering(args, launcher).Run();
}

}  // namespace sluice::device
