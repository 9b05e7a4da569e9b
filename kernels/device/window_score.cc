// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/window_score.h"

#include <algorithm>
#include <vector>

#include "kernels/device/parts.h"
#include "kernels/device/row_parts.h"
#include "kernels/device/window_kernels.h"

namespace sluice::device {
namespace {

// One operation on its way to launches of as many rows at a time as scratch holds, or of
// as many query heads of a row, at least one.
class WindowLowering {
 public:
  WindowLowering(const WindowScoreArgs& args, Launcher& launcher)
      : args_(args), launcher_(launcher) {
    for (int32_t r = 0; r < args.rows.row_count; ++r) AddRow(r);
    const LayerShape layer = launcher.Layer(*args.layer);
    launch_.pool = launcher.pool();
    launch_.whole_group = layer.q_heads / layer.kv_heads;
    TakeHeads(0, launch_.whole_group);
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
      const int32_t last = first + RowsThatFit(first);
      PlaceRows(first, last);
      const int32_t heads = HeadsThatFit(first, last);
      TakeHeads(0, heads);
      TakeRoom();
      for (int32_t before = 0; before < launch_.whole_group; before += heads) {
        TakeHeads(before, std::min(heads, launch_.whole_group - before));
        LaunchHeads(first);
      }
      LaunchPooling();
      first = last;
    }
  }

 private:
  void AddRow(int32_t r) {
    const ViewEntry& entry = *args_.rows.entry;
    const Row row = MakeRow(launcher_.host_pool(), entry, args_.rows.first_row + r, args_.length);
    WindowRow& result = rows_.emplace_back();
    result.span_count = row.span_count;
    result.chunk_slots = ChunkSlots(row.slots);
    for (int32_t s = 0; s < row.span_count; ++s) {
      const Span& host_span = row.spans[s];
      WindowSpan& span = result.spans[s];
      span.span = launcher_.SpanIn(host_span);
      span.chunks = ChunksOf(host_span, result.chunk_slots);
      // Every slot of a body lies below the snapshot.
      const int64_t scored =
          host_span.contiguous
              ? std::clamp<int64_t>(entry.base_length - host_span.first_position, 0,
                                    host_span.slots)
              : host_span.slots;
      span.scored_end = scored == 0 ? 0 : span.chunks.lead + scored;
      span.first_score = result.scored_slots;
      result.scored_slots += scored;
      const PageFormat& format = host_span.format->page;
      launch_.key_bytes = std::max(launch_.key_bytes, KeyTileShape(format).tile_bytes());
    }
  }

  void TakeHeads(int32_t before, int32_t heads) {
    launch_.heads_before = before;
    launch_.group = heads;
    launch_.heads_at_once = std::min(heads, kMostWindowHeads);
  }

  int64_t QueryRows() const { return int64_t{launch_.group} * launch_.query_rows; }

  bool Pools() const { return args_.pool != WindowPool::kNone; }

  int64_t RawBytes(const WindowRow& row) const { return Pools() ? row.scored_slots * 4 : 0; }

  // Of `heads` query heads, without raw scores; with what alignment may add.
  int64_t ScratchBytes(const WindowRow& row, int32_t heads) const {
    constexpr int64_t kAlignments = 4 * 256;
    const int64_t query_bytes = (int64_t{launch_.k_dim} + 1) * 4;
    const int64_t sum_bytes = row.chunk_count() * 2 * static_cast<int64_t>(sizeof(LogitSum));
    return kAlignments + int64_t{heads} * launch_.query_rows * (query_bytes + sum_bytes);
  }

  // Rows from `first` on that scratch holds at a time, at least one.
  int32_t RowsThatFit(int32_t first) const {
    const auto count = static_cast<int32_t>(rows_.size());
    int64_t bytes = 0;
    int32_t last = first;
    for (; last < count; ++last) {
      const WindowRow& row = rows_[static_cast<size_t>(last)];
      bytes += ScratchBytes(row, launch_.whole_group) + RawBytes(row);
      if (last > first && bytes > launcher_.scratch_left_bytes()) break;
    }
    return last - first;
  }

  // Query heads of a kv head that the scratch left holds at a time: all but where there is
  // one row alone.
  int32_t HeadsThatFit(int32_t first, int32_t last) const {
    int32_t heads = launch_.whole_group;
    const WindowRow& row = rows_[static_cast<size_t>(first)];
    while (last - first == 1 && heads > 1 &&
           ScratchBytes(row, heads) > launcher_.scratch_left_bytes()) {
      --heads;
    }
    return heads;
  }

  // Numbers what the rows of a launch have.
  void PlaceRows(int32_t first, int32_t last) {
    chunks_ = tiles_ = runs_ = 0;
    for (int32_t r = first; r < last; ++r) {
      WindowRow& row = rows_[static_cast<size_t>(r)];
      row.index = r - first;
      row.first_chunk = chunks_;
      row.first_tile = tiles_;
      row.first_run = runs_;
      row.scores = scores_ + args_.rows.row_offsets[r];
      row.raw = Pools() ? launcher_.Scratch<float>(row.scored_slots) : row.scores;
      chunks_ += row.chunk_count();
      tiles_ += row.TileCount(0) + row.TileCount(1);
      runs_ += (row.scored_slots + PoolWindowKernel::kRunSlots - 1) / PoolWindowKernel::kRunSlots;
    }
    launch_.rows = launcher_.In(rows_.data() + first, last - first);
    launch_.row_count = last - first;
  }

  // Takes scratch for as many heads as are worked on at a time.
  void TakeRoom() {
    const int64_t query_rows = launch_.row_count * QueryRows();
    launch_.queries = launcher_.Scratch<float>(query_rows * launch_.k_dim);
    launch_.log_sums = launcher_.Scratch<float>(query_rows);
    sums_ = launcher_.Scratch<LogitSum>(chunks_ * 2 * QueryRows());
  }

  void LaunchHeads(int32_t first) {
    const int32_t kv_head = args_.rows.first_row - args_.layer->first_row + first;
    launch_.first_q_head = kv_head * launch_.whole_group + launch_.heads_before;
    launcher_.Launch(PackWindowKernel{launch_, observation_, args_.layout, args_.length},
                     WarpItems(launch_.row_count * QueryRows()));
    LaunchSums();
    const LaunchShape tile_shape{tiles_, launch_.heads_at_once * kTileSlots,
                                 WindowSharedBytes(launch_.key_bytes, launch_.group)};
    launcher_.Launch(ScoreWindowKernel{launch_, tiles_, args_.reduce}, tile_shape);
  }

  void LaunchSums() {
    SumWindowKernel sum{launch_, 0, sums_};
    sum.items = chunks_ * sum.UnitHeads() * (launch_.query_rows / kWindowBatch);
    launcher_.Launch(sum, {sum.items, launch_.heads_at_once * kTileSlots,
                           WindowSharedBytes(launch_.key_bytes, 0)});
    const int64_t query_rows = launch_.row_count * QueryRows();
    launcher_.Launch(FoldWindowKernel{launch_, sums_}, {(query_rows + 127) / 128, 128, 0});
  }

  void LaunchPooling() {
    if (!Pools()) return;
    launcher_.Launch(PoolWindowKernel{launch_.rows, launch_.row_count, runs_, args_.pool,
                                      args_.pool_width},
                     {runs_, PoolWindowKernel::kRunSlots, 0});
  }

  const WindowScoreArgs& args_;
  Launcher& launcher_;
  WindowLaunch launch_;
  std::vector<WindowRow> rows_;
  const std::byte* observation_ = nullptr;
  float* scores_ = nullptr;
  // Of the rows of a launch.
  int64_t chunks_ = 0;
  int64_t tiles_ = 0;  // with slots to be scored
  int64_t runs_ = 0;   // of slots to be pooled
  LogitSum* sums_ = nullptr;
};

}  // namespace

void LowerWindowScore(const WindowScoreArgs& args, Launcher& launcher) {
  const auto bytes_of = [&](int64_t row) {
    const int64_t slots = args.rows.row_offsets[row + 1] - args.rows.row_offsets[row];
    return static_cast<int64_t>(sizeof(WindowRow)) +
           launcher.StagedBytes(args.scores, slots * static_cast<int64_t>(sizeof(float)));
  };
  const auto lower = [&](const RowPart& rows) {
    WindowScoreArgs part = args;
    part.rows = rows.rows;
    part.scores = From(args.scores, rows.first_slot);
    WindowLowering(part, launcher).Run();
  };
  ForEachRowPart(args.rows, launcher, bytes_of, lower,
                 launcher.StagedBytes(args.observation, args.layout.bytes));
}

}  // namespace sluice::device
