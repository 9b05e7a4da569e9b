// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/append_work.h"

#include <algorithm>

#include "kernels/cpu/slot_store.h"

namespace sluice::cpu {
namespace {

// An item's bytes; a row costs what kRowBytes cost on top of its own (cache misses).
constexpr int64_t kItemBytes = int64_t{256} << 10;
constexpr int64_t kRowBytes = 2048;

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
    const int64_t slots = std::min(page_size - tail_slot % page_size, end_token - token);
    runs_.push_back({&entry, token - args_.first_token, position, tail_slot,
                     static_cast<int32_t>(slots)});
    token += slots;
  }
}

void AppendWork::CutIntoItems() {
  const LayerShape& layer = *args_.layer;
  const int64_t slot_bytes =
      layer.k_dim * DtypeBytes(args_.k_dtype) + layer.v_dim * DtypeBytes(args_.v_dtype);
  item_starts_.assign(1, 0);
  int64_t bytes = 0;
  for (size_t i = 0; i < runs_.size(); ++i) {
    bytes += (runs_[i].slots * slot_bytes + kRowBytes) * layer.kv_heads;
    if (bytes < kItemBytes && i + 1 < runs_.size()) continue;
    item_starts_.push_back(static_cast<int64_t>(i) + 1);
    bytes = 0;
  }
}

void AppendWork::Run(int64_t item, WorkerScratch& scratch) {
  int64_t non_finite = 0;
  for (int64_t i = item_starts_[item]; i < item_starts_[item + 1]; ++i) {
    for (int32_t head = 0; head < args_.layer->kv_heads; ++head) {
      non_finite += StoreRun(runs_[i], head, scratch);
    }
  }
  if (non_finite != 0) non_finite_.fetch_add(non_finite, std::memory_order_relaxed);
}

int64_t AppendWork::StoreRun(const PageRun& run, int32_t head, WorkerScratch& scratch) const {
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
  const auto* words = reinterpret_cast<const uint32_t*>(pool_.tables);
  const auto* blocks =
      reinterpret_cast<const uint32_t*>(pool_.tables + run.entry->block_list_offset);
  const int32_t page_size = format.page.page_size;
  const uint32_t page =
      words[blocks[run.tail_slot / page_size] + static_cast<uint32_t>(layer.first_row + head)];
  const auto first_slot = static_cast<int32_t>(run.tail_slot % page_size);
  return StoreSlots(pool_, format, page, first_slot, run.slots, first_slot == 0, source, scratch);
}

void AppendWork::Finish() {
  if (args_.non_finite_count != nullptr) {
    *args_.non_finite_count += non_finite_.load(std::memory_order_relaxed);
  }
}

}  // namespace sluice::cpu
