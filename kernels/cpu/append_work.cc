// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/append_work.h"

#include <algorithm>

#include "hwy/cache_control.h"
#include "kernels/core/layout.h"
#include "kernels/core/number.h"
#include "kernels/core/rope.h"
#include "kernels/cpu/slot_store.h"

namespace sluice::cpu {
namespace {

// An item's bytes; a row costs what kRowBytes cost on top of its own (cache misses).
constexpr int64_t kItemBytes = int64_t{256} << 10;
constexpr int64_t kRowBytes = 2048;
// Of a call that goes past the caches: rows are fetched only within an item.
constexpr int64_t kStreamItemBytes = int64_t{1} << 20;

// Room for a run's keys that are turned back. It lies behind what StoreSlots uses
// of a worker's scratch.
struct TurnRoom {
  Turn turns[kGroupSlots][128];  // of its tokens' true positions
  float keys[kGroupSlots][256];
};
constexpr int64_t kTurnRoomOffset = int64_t{512} << 10;

TurnRoom* TurnRoomOf(WorkerScratch& scratch) {
  return reinterpret_cast<TurnRoom*>(scratch.data + kTurnRoomOffset);
}

void FindTurns(const RopeTable& rope, int64_t position, int32_t slots, TurnRoom* room) {
  for (int32_t i = 0; i < slots; ++i) {
    for (int32_t pair = 0; pair < rope.rotary_dim / 2; ++pair) {
      room->turns[i][pair] = TrueTurn(rope.inv_freq[pair], position + i);
    }
  }
}

// Puts a run's keys un-rotated into the room, from where they are stored.
void TurnKeysBack(const LayerShape& layer, int32_t slots, TurnRoom* room, SlotSource* source) {
  for (int32_t i = 0; i < slots; ++i) {
    const std::byte* key = source->k + i * source->k_stride_bytes;
    for (int32_t dim = 0; dim < layer.k_dim; ++dim) {
      room->keys[i][dim] = LoadAsFloat(key, source->k_dtype, dim);
    }
    TurnBack(layer.rope.pairing, layer.rope.rotary_dim, room->turns[i],
             layer.rope.attention_factor, room->keys[i]);
  }
  source->k = reinterpret_cast<const std::byte*>(room->keys);
  source->k_stride_bytes = sizeof(room->keys[0]);
  source->k_dtype = Dtype::kF32;
  source->k_ahead_bytes = 0;
  source->k_later = nullptr;
}

}  // namespace

int64_t AppendWork::Plan() {
  runs_.clear();
  non_finite_.store(0, std::memory_order_relaxed);
  const StepView& view = *args_.view;
  const ViewEntry* end = view.entries + view.entry_count;
  const ViewEntry* entry = std::partition_point(view.entries, end, [&](const ViewEntry& e) {
    return e.first_token + e.token_count <= args_.first_token;
  });
  const int64_t end_token = args_.first_token + args_.token_count;
  for (; entry != end && entry->first_token < end_token; ++entry) AddEntry(*entry);
  CutIntoItems();
  return static_cast<int64_t>(item_starts_.size()) - 1;
}

void AppendWork::AddEntry(const ViewEntry& entry) {
  const int64_t page_size = pool_.formats[entry.tail_format].page.page_size;
  int64_t token = std::max(entry.first_token, args_.first_token);
  const int64_t end_token =
      std::min(entry.first_token + entry.token_count, args_.first_token + args_.token_count);
  while (token < end_token) {
    const int64_t position = entry.base_length + token - entry.first_token;
    const int64_t tail_slot = entry.tail_start + position - entry.tail_first_position;
    const int64_t left = end_token - token;
    const int64_t slots = std::min(kGroupSlots - tail_slot % kGroupSlots, left);
    GroupRun run;
    run.entry = &entry;
    run.token = token - args_.first_token;
    run.position = position;
    run.block = tail_slot / page_size;
    run.first_slot = static_cast<int32_t>(tail_slot % page_size);
    run.slots = static_cast<int32_t>(slots);
    run.page_slots = std::min(page_size - run.first_slot, left);
    runs_.push_back(run);
    token += slots;
  }
}

void AppendWork::CutIntoItems() {
  const LayerShape& layer = *args_.layer;
  const int64_t slot_bytes =
      layer.k_dim * DtypeBytes(args_.k_dtype) + layer.v_dim * DtypeBytes(args_.v_dtype);
  stream_ = args_.token_count * layer.kv_heads * slot_bytes >= kStreamBytes;
  item_starts_.assign(1, 0);
  const int64_t item_bytes = stream_ ? kStreamItemBytes : kItemBytes;
  int64_t bytes = 0;
  for (size_t i = 0; i < runs_.size(); ++i) {
    bytes += (runs_[i].slots * slot_bytes + kRowBytes) * layer.kv_heads;
    const bool last = i + 1 == runs_.size();
    // A page belongs to one item, which clears it.
    const bool page_goes_on = !last && runs_[i + 1].entry == runs_[i].entry &&
                              runs_[i + 1].block == runs_[i].block;
    if (page_goes_on || (!last && bytes < item_bytes)) continue;
    item_starts_.push_back(static_cast<int64_t>(i) + 1);
    bytes = 0;
  }
}

void AppendWork::Run(int64_t item, WorkerScratch& scratch) {
  const int32_t heads = args_.layer->kv_heads;
  const int64_t end = item_starts_[item + 1];
  int64_t non_finite = 0;
  for (int64_t i = item_starts_[item]; i < end; ++i) {
    if (TurnsBack(runs_[i])) {
      FindTurns(args_.layer->rope, runs_[i].position, runs_[i].slots, TurnRoomOf(scratch));
    }
    for (int32_t head = 0; head < heads; ++head) {
      if (head + 1 < heads) {
        PrefetchDestination(runs_[i], head + 1);
      } else if (i + 1 < end) {
        PrefetchDestination(runs_[i + 1], 0);
      }
      non_finite += StoreRun(runs_[i], head, i + 1 < end, scratch);
    }
  }
  if (stream_) hwy::FlushStream();
  if (non_finite != 0) non_finite_.fetch_add(non_finite, std::memory_order_relaxed);
}

// Whether a run's keys come rotated and are stored un-rotated.
bool AppendWork::TurnsBack(const GroupRun& run) const {
  const RopeTable& rope = args_.layer->rope;
  return rope.inv_freq != nullptr && rope.arrives_rotated &&
         pool_.formats[run.entry->tail_format].page.key_space == KeySpace::kCachePosition;
}

uint32_t AppendWork::PageOf(const GroupRun& run, int32_t head) const {
  const auto* words = reinterpret_cast<const uint32_t*>(pool_.tables);
  const auto* blocks =
      reinterpret_cast<const uint32_t*>(pool_.tables + run.entry->block_list_offset);
  return words[blocks[run.block] + static_cast<uint32_t>(args_.layer->first_row + head)];
}

void AppendWork::PrefetchDestination(const GroupRun& run, int32_t head) const {
  const SpanFormat& format = pool_.formats[run.entry->tail_format];
  const uint32_t page = PageOf(run, head);
  if (stream_) {
    PrefetchSides(pool_, format, page, run.first_slot);
  } else {
    PrefetchSlots(pool_, format, page, run.first_slot, run.slots);
  }
}

int64_t AppendWork::StoreRun(const GroupRun& run, int32_t head, bool next_is_ours,
                             WorkerScratch& scratch) const {
  const LayerShape& layer = *args_.layer;
  const SpanFormat& format = pool_.formats[run.entry->tail_format];
  const int64_t k_bytes = layer.k_dim * DtypeBytes(args_.k_dtype);
  const int64_t v_bytes = layer.v_dim * DtypeBytes(args_.v_dtype);
  const int64_t vector = run.token * layer.kv_heads + head;
  SlotSource source;
  source.k = static_cast<const std::byte*>(args_.k) + vector * k_bytes;
  source.v = static_cast<const std::byte*>(args_.v) + vector * v_bytes;
  source.k_stride_bytes = k_bytes * layer.kv_heads;
  source.v_stride_bytes = v_bytes * layer.kv_heads;
  source.k_dtype = args_.k_dtype;
  source.v_dtype = args_.v_dtype;
  source.first_position = run.position;
  source.stream = stream_;
  // The next head's rows lie beside these, the next run's behind them, all heads
  // together: each head fetches its share of those.
  const int64_t run_vectors = run.slots * int64_t{layer.kv_heads};
  const int64_t vectors_ahead = head + 1 < layer.kv_heads ? 1 : run_vectors - head;
  source.k_ahead_bytes = vectors_ahead * k_bytes;
  source.v_ahead_bytes = vectors_ahead * v_bytes;
  if (next_is_ours) {
    const int64_t share = run_vectors - head + head * int64_t{run.slots};
    source.k_later = source.k + share * k_bytes;
    source.v_later = source.v + share * v_bytes;
  }
  if (TurnsBack(run)) TurnKeysBack(layer, run.slots, TurnRoomOf(scratch), &source);
  const uint32_t page = PageOf(run, head);
  if (run.first_slot == 0) OpenPage(pool_, format, page, run.page_slots);
  return StoreSlots(pool_, format, page, run.first_slot, run.slots, source, scratch);
}

void AppendWork::Finish() {
  if (args_.non_finite_count != nullptr) {
    *args_.non_finite_count += non_finite_.load(std::memory_order_relaxed);
  }
}

}  // namespace sluice::cpu
