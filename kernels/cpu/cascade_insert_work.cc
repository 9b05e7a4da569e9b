// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cascade_insert_work.h"

#include <algorithm>

#include "kernels/core/mass.h"
#include "kernels/cpu/pending_kernel.h"
#include "kernels/cpu/slot_move.h"
#include "kernels/cpu/slot_store.h"

namespace sluice::cpu {

// One row of a chunk: the slots of its body by their numbers, then its pending
// tokens, which together are numbered as DecideCascade's sources are.
struct CascadeInsertWork::RowView {
  const PoolView& pool;
  const ViewEntry& entry;
  const int32_t body_slots;
  const int32_t sum_count;
  const int32_t page_size;
  Span body;
  Span tail;

  RowView(const PoolView& pool_view, const Chunk& chunk, int32_t row, int32_t sums)
      : pool(pool_view),
        entry(*chunk.entry),
        body_slots(chunk.geometry->body_slots()),
        sum_count(sums),
        page_size(pool_view.formats[chunk.entry->body_format].page.page_size) {
    const Row whole = MakeRow(pool, entry, row, entry.base_length + entry.token_count);
    tail = whole.spans[whole.span_count - 1];
    body = CascadeBody(pool, entry, row);
  }

  SlotAddress AddressOf(int32_t source) const {
    const bool pending = source >= body_slots;
    const int32_t index = pending ? tail.first_slot + source - body_slots : source;
    return {(pending ? tail : body).Page(index / page_size), index % page_size};
  }

  // Its score, with its pending sums each page_size further; null: none is kept.
  float* ScoreOf(int32_t source) const {
    const bool pending = source >= body_slots;
    const int32_t index = pending ? tail.first_slot + source - body_slots : source;
    float* scores =
        CascadeScores(pool, entry, pending ? tail : body, index / page_size, sum_count);
    return scores == nullptr ? nullptr : scores + index % page_size;
  }

  float Score(int32_t source) const {
    const float* score = ScoreOf(source);
    return score == nullptr ? 0.0f : *score;
  }
};

int64_t CascadeInsertWork::Plan() {
  const LayerShape& layer = *args_.layer;
  sum_count_ = PendingSums(args_.mass.reduce, layer.q_heads / layer.kv_heads);
  chunks_.clear();
  int64_t sources = 0;
  for (int32_t i = 0; i < args_.view->entry_count; ++i) {
    const ViewEntry& entry = args_.view->entries[i];
    const CascadeGeometry* geometry = CascadeOf(pool_, entry);
    const int64_t tokens = entry.base_length + entry.token_count - entry.tail_first_position;
    if (geometry == nullptr || tokens == 0) continue;
    Chunk& chunk = chunks_.emplace_back();
    chunk.entry = &entry;
    chunk.geometry = geometry;
    chunk.changes = ChangesOf(*geometry, entry.tail_first_position, tokens);
    chunk.first_source = sources;
    sources += int64_t{chunk.changes.slots} * layer.kv_heads;
  }
  GrowTo(sources, &sources_);
  return static_cast<int64_t>(chunks_.size()) * layer.kv_heads;
}

void CascadeInsertWork::Run(int64_t item, WorkerScratch&) {
  const int64_t heads = args_.layer->kv_heads;
  const Chunk& chunk = chunks_[static_cast<size_t>(item / heads)];
  const CascadeGeometry& geometry = *chunk.geometry;
  const CascadeChanges& changes = chunk.changes;
  const auto head = static_cast<int32_t>(item % heads);
  const RowView row(pool_, chunk, args_.layer->first_row + head, sum_count_);
  int32_t* sources =
      sources_.data() + chunk.first_source + int64_t{head} * changes.slots;
  AddPendingSums(chunk, row);
  DecideCascade(geometry, changes, [&](int32_t source) { return row.Score(source); }, sources);
  ClearReachedPages(chunk, row);
  for (int32_t ring = geometry.ring_count - 1; ring >= 0; --ring) {
    const CascadeChanges::Run& run = changes.rings[ring];
    MoveRun(row, sources + run.offset, geometry.first_slot(ring), run.first, run.slots,
            geometry.ring_slots);
  }
  MoveRun(row, sources, 0, changes.first_sink, changes.sinks, std::max(1, geometry.sinks));
}

void CascadeInsertWork::AddPendingSums(const Chunk& chunk, const RowView& row) const {
  const int32_t page_size = row.page_size;
  const float decay = DecayPower(args_.mass.decay, chunk.changes.count);
  const int32_t used = CascadeSlots(*chunk.geometry, chunk.changes.first_token);
  for (int32_t slot = chunk.geometry->sinks; slot < used;) {
    const int32_t count = std::min(page_size - slot % page_size, used - slot);
    if (float* scores = row.ScoreOf(slot)) {
      AddPending({scores, count, page_size, sum_count_}, decay, args_.mass.reduce);
    }
    slot += count;
  }
  for (int64_t token = 0; token < chunk.changes.count;) {
    const int64_t place = (row.tail.first_slot + token) % page_size;
    const int64_t count = std::min(page_size - place, chunk.changes.count - token);
    if (float* scores = row.ScoreOf(row.body_slots + static_cast<int32_t>(token))) {
      AddPending({scores, count, page_size, sum_count_}, 0.0f, args_.mass.reduce);
    }
    token += count;
  }
}

void CascadeInsertWork::ClearReachedPages(const Chunk& chunk, const RowView& row) const {
  const int64_t first_token = chunk.changes.first_token;
  const int64_t before = CascadeSlots(*chunk.geometry, first_token);
  const int64_t after = CascadeSlots(*chunk.geometry, first_token + chunk.changes.count);
  for (int64_t page = CeilDivide(before, row.page_size); page * row.page_size < after; ++page) {
    ClearPage(pool_, *row.body.format, row.body.Page(page));
  }
}

// Fills `slots` places of a ring from place `first` on, around its end.
void CascadeInsertWork::MoveRun(const RowView& row, const int32_t* sources, int32_t first_slot,
                                int32_t first, int32_t slots, int32_t ring_slots) const {
  for (int32_t i = 0; i < slots; ++i) {
    const int32_t slot = first_slot + (first + i) % ring_slots;
    if (sources[i] == slot) continue;
    CopySlot(pool_, *row.body.format, row.AddressOf(sources[i]), row.AddressOf(slot));
    float* score = row.ScoreOf(slot);
    if (score == nullptr) continue;
    *score = row.Score(sources[i]);
    for (int32_t sum = 1; sum <= sum_count_; ++sum) score[sum * row.page_size] = 0.0f;
  }
}

}  // namespace sluice::cpu
