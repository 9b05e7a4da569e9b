// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernels of WindowScore know of rows and query rows, and the logits of a tile.

#include <math.h>

#include "kernels/core/observation.h"
#include "kernels/core/rows.h"
#include "kernels/core/split.h"
#include "kernels/device/block.h"
#include "kernels/device/key_tiles.h"
#include "kernels/ops.h"

namespace sluice::device {

// Query rows of a head that a thread works on at a time; heads are padded to whole batches by
// rows that add nothing.
inline constexpr int32_t kWindowBatch = 8;

// Query heads of a kv head that a block works on at a time: 64 threads each.
inline constexpr int32_t kMostWindowHeads = 4;

// A span of a row. Slots are counted as in `chunks`.
struct WindowSpan {
  Span span;
  SpanChunks chunks;
  int64_t scored_end = 0;   // one past its slots below the snapshot
  int64_t first_score = 0;  // place among the row's scores of its first slot
};

// A row of the call's RowSet: a kv head, the slots that its queries see, and what the rows
// before it in the launch have. Made by the host.
struct WindowRow {
  WindowSpan spans[2];
  int32_t span_count = 0;
  int32_t index = 0;  // in the launch
  int64_t chunk_slots = 0;
  int64_t scored_slots = 0;
  float* raw = nullptr;     // [scored_slots]: scores before they are pooled
  float* scores = nullptr;  // the same after; may be `raw`
  int64_t first_chunk = 0;
  int64_t first_tile = 0;  // of those with slots to be scored
  int64_t first_run = 0;   // of slots to be pooled

  SLUICE_HD int64_t chunk_count() const {
    return spans[0].chunks.count + (span_count > 1 ? spans[1].chunks.count : 0);
  }
  // Tiles of a span with slots to be scored.
  SLUICE_HD int64_t TileCount(int32_t span) const {
    return span < span_count ? (spans[span].scored_end + kTileSlots - 1) / kTileSlots : 0;
  }
};

// What the kernels of one launch share. Lists and scratch: of the device.
struct WindowLaunch {
  PoolView pool;
  const WindowRow* rows = nullptr;  // [row_count]
  int32_t row_count = 0;
  int32_t first_q_head = 0;   // of the layer: the first row's first one that is worked on
  int32_t group = 1;          // query heads a kv head that are worked on
  int32_t heads_before = 0;   // of the kv head, worked on by launches before
  int32_t whole_group = 1;    // query heads a kv head
  int32_t heads_at_once = 1;  // of them, of a block
  int32_t k_dim = 0;
  float scale = 1.0f;
  float soft_cap = 0.0f;
  int32_t sliding_window = 0;
  const float* sink_logits = nullptr;
  int64_t first_position = 0;  // of the observation window
  int32_t query_rows = 0;      // of a head, whole batches
  int32_t key_bytes = 0;       // of the largest K tile
  float* queries = nullptr;    // [row_count, group, query_rows, k_dim], fp32
  // [row_count, group, query_rows], natural; +inf: the row adds nothing; NaN: not known yet.
  float* log_sums = nullptr;

  // Of the first query row of a head.
  SLUICE_HD int64_t QueryRow(int32_t row, int32_t head) const {
    return (int64_t{row} * group + head) * query_rows;
  }
};

// Shared memory of a block: a K tile, where it lies, and a number a head and slot.
SLUICE_HD constexpr int32_t WindowSharedBytes(int32_t key_bytes, int32_t group) {
  return key_bytes + static_cast<int32_t>(RoundUp(sizeof(TilePlace), 16)) + group * kTileSlots * 4;
}

// A stored type that is known when the code is made.
template <Dtype kDtype>
struct DtypeTag {
  static constexpr Dtype value = kDtype;
};

// Calls function(DtypeTag<..>()) for the type.
template <class Function>
SLUICE_HD void WithDtype(Dtype dtype, const Function& function) {
  if (dtype == Dtype::kBf16) return function(DtypeTag<Dtype::kBf16>());
  if (dtype == Dtype::kF16) return function(DtypeTag<Dtype::kF16>());
  function(DtypeTag<Dtype::kF32>());
}

// A tile of a span in a block's shared memory.
class WindowTile {
 public:
  SLUICE_HD WindowTile(const WindowLaunch& launch, const WindowSpan& span, std::byte* shared)
      : launch_(launch),
        span_(span),
        keys_(shared),
        place_(reinterpret_cast<TilePlace*>(shared + launch.key_bytes)),
        shape_(KeyTileShape(span.span.format->page)) {}

  // Whether the sliding window of any query row reaches the tile.
  SLUICE_HD bool IsSeen(int64_t tile) const {
    if (launch_.sliding_window == 0) return true;
    const int64_t end = (tile + 1) * kTileSlots;
    const int64_t last = (end < span_.chunks.end ? end : span_.chunks.end) - 1;
    return SlotPosition(launch_.pool, span_.span, last - span_.chunks.lead) >
           launch_.first_position - launch_.sliding_window;
  }

  // The whole block. REQUIRES: nobody reads the tile that was there.
  template <class Block>
  SLUICE_HD void Load(Block& block, int64_t tile) {
    if (block.thread() < kTileGroups) {
      LocateGroup(launch_.pool, span_.span, span_.chunks, tile, span_.chunks.lead,
                  span_.chunks.end, block.thread(), place_);
    }
    block.Sync();
    CopyTile(block, *place_, shape_, keys_);
    block.CommitCopies();
    block.template WaitCopies<0>();
    block.Sync();
    slot_ = block.thread() % kTileSlots;
    used_ = slot_ >= place_->begin && slot_ < place_->end;
    if (!used_) return;
    const int64_t index = tile * kTileSlots + slot_ - span_.chunks.lead;
    const int32_t group = slot_ / kGroupSlots;
    const int32_t of_group = slot_ % kGroupSlots;
    const int64_t position = span_.span.contiguous ? span_.span.first_position + index
                                                   : place_->positions[group][of_group];
    age_ = static_cast<int32_t>(launch_.first_position - position);
    const float* const log_mass = place_->log_mass[group];
    log_mass_ = log_mass == nullptr ? 0.0f : log_mass[of_group];
  }

  // The thread's logits of a batch of query rows, the first of which is number `first` of its
  // head: one each, -inf where it does not see the thread's slot.
  template <Dtype kDtype>
  SLUICE_HD void Logits(const float* queries, int32_t first,
                        float (&logits)[kWindowBatch]) const {
    constexpr int32_t kAtOnce = 4;  // more would take more registers than there are
    Unrolled<kWindowBatch / kAtOnce>([&](int32_t part) {
      float dots[kAtOnce] = {};
      if (used_) {
        AddDotsOfTile<kDtype, kAtOnce>(keys_, shape_.tile, slot_,
                                       queries + part * kAtOnce * launch_.k_dim, launch_.k_dim,
                                       dots);
      }
      SLUICE_UNROLL
      for (int32_t i = 0; i < kAtOnce; ++i) logits[part * kAtOnce + i] = dots[i];
    });
    for (int32_t i = 0; i < kWindowBatch; ++i) {
      const int32_t age = age_ + first + i;
      const bool sees =
          used_ && age >= 0 && (launch_.sliding_window == 0 || age < launch_.sliding_window);
      logits[i] = sees ? Finish(logits[i]) : -__builtin_huge_valf();
    }
  }

 private:
  SLUICE_HD float Finish(float dot) const {
    float logit = dot * launch_.scale;
    if (launch_.soft_cap != 0.0f) logit = launch_.soft_cap * tanhf(logit / launch_.soft_cap);
    return logit + log_mass_;
  }

  const WindowLaunch& launch_;
  const WindowSpan& span_;
  std::byte* const keys_;
  TilePlace* const place_;
  const TileShape shape_;
  // Of the thread's slot.
  int32_t slot_ = 0;
  bool used_ = false;
  int32_t age_ = 0;  // positions from it to the first query row; < 0: it is newer
  float log_mass_ = 0.0f;
};

}  // namespace sluice::device
