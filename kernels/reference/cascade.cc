// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/cascade.h"

#include <cmath>
#include <vector>

#include "kernels/core/mass.h"
#include "kernels/reference/slot.h"

namespace sluice::reference {
namespace {

// One row of an entry: its body's slots by their numbers, then the pending tokens.
class CascadeRow {
 public:
  CascadeRow(const PoolView& pool, const ViewEntry& entry, int32_t row, const MassRule& mass,
             int32_t sums)
      : pool_(pool),
        entry_(entry),
        geometry_(*CascadeOf(pool, entry)),
        mass_(mass),
        sums_(sums),
        tail_tokens_(entry.base_length + entry.token_count - entry.tail_first_position) {
    body_ = CascadeBody(pool, entry, row);
    const Row whole = MakeRow(pool, entry, row, entry.base_length + entry.token_count);
    tail_ = whole.spans[whole.span_count - 1];
  }

  void Insert() {
    AddPendingSums();
    const CascadeChanges changes =
        ChangesOf(geometry_, entry_.tail_first_position, tail_tokens_);
    std::vector<int32_t> sources(static_cast<size_t>(changes.slots));
    DecideCascade(geometry_, changes, [&](int32_t source) { return Score(source); },
                  sources.data());
    ClearReachedPages();
    // The sinks, then ring by ring.
    std::vector<int32_t> slots;
    for (int32_t i = 0; i < changes.sinks; ++i) slots.push_back(changes.first_sink + i);
    for (int32_t ring = 0; ring < geometry_.ring_count; ++ring) {
      for (int32_t i = 0; i < changes.rings[ring].slots; ++i) {
        slots.push_back(ChangedSlot(geometry_, changes, ring, i));
      }
    }
    Move(sources, slots);
  }

 private:
  // A slot of the body, or a pending token behind them.
  SlotPlace PlaceOf(int32_t source) const {
    const int32_t pending = source - geometry_.body_slots();
    return pending < 0 ? PlaceInSpan(body_, source) : PlaceInSpan(tail_, pending);
  }

  // Its score, with the pending sums behind it a page's slots apart; null: none.
  float* ScoreOf(int32_t source) const {
    const int32_t pending = source - geometry_.body_slots();
    const Span& span = pending < 0 ? body_ : tail_;
    const int64_t index = pending < 0 ? source : tail_.first_slot + pending;
    const int32_t page_size = span.format->page.page_size;
    float* scores = CascadeScores(pool_, entry_, span, index / page_size, sums_);
    return scores == nullptr ? nullptr : scores + index % page_size;
  }

  float Score(int32_t source) const {
    const float* score = ScoreOf(source);
    return score == nullptr ? 0.0f : *score;
  }

  void AddPendingSums() {
    const int64_t stride = body_.format->page.page_size;
    const double decay = std::pow(double{mass_.decay}, static_cast<double>(tail_tokens_));
    const auto add = [&](int32_t source, double kept) {
      float* score = ScoreOf(source);
      if (score == nullptr) return;
      const float sum = ReducePending(score + stride, stride, sums_, mass_.reduce);
      *score = static_cast<float>((kept == 0.0 ? 0.0 : kept * double{*score}) + double{sum});
      for (int32_t i = 1; i <= sums_; ++i) score[i * stride] = 0.0f;
    };
    const int32_t used = CascadeSlots(geometry_, entry_.tail_first_position);
    for (int32_t slot = geometry_.sinks; slot < used; ++slot) add(slot, decay);
    for (int32_t i = 0; i < tail_tokens_; ++i) add(geometry_.body_slots() + i, 0.0);
  }

  void ClearReachedPages() {
    const int32_t page_size = body_.format->page.page_size;
    const int64_t end = entry_.tail_first_position + tail_tokens_;
    const int32_t used = CascadeSlots(geometry_, end);
    for (int32_t slot = 0; slot < used; slot += page_size) {
      if (slot < CascadeSlots(geometry_, entry_.tail_first_position)) continue;
      ClearPage(pool_, *body_.format, body_.Page(slot / page_size));
    }
  }

  void Move(const std::vector<int32_t>& sources, const std::vector<int32_t>& slots) {
    std::vector<SlotContent> contents;
    std::vector<float> scores;
    for (const int32_t source : sources) {
      contents.push_back(ReadSlot(pool_, PlaceOf(source)));
      scores.push_back(Score(source));
    }
    for (size_t i = 0; i < slots.size(); ++i) {
      if (sources[i] == slots[i]) continue;
      WriteSlot(pool_, PlaceOf(slots[i]), contents[i]);
      float* score = ScoreOf(slots[i]);
      if (score == nullptr) continue;
      *score = scores[i];
      for (int32_t sum = 1; sum <= sums_; ++sum) {
        score[sum * body_.format->page.page_size] = 0.0f;
      }
    }
  }

  const PoolView& pool_;
  const ViewEntry& entry_;
  const CascadeGeometry& geometry_;
  const MassRule& mass_;
  const int32_t sums_;
  const int64_t tail_tokens_;
  Span body_;
  Span tail_;
};

}  // namespace

void RunCascadeInsert(const PoolView& pool, const CascadeInsertArgs& args) {
  const LayerShape& layer = *args.layer;
  const int32_t sums = PendingSums(args.mass.reduce, layer.q_heads / layer.kv_heads);
  for (int32_t e = 0; e < args.view->entry_count; ++e) {
    const ViewEntry& entry = args.view->entries[e];
    if (CascadeOf(pool, entry) == nullptr) continue;
    if (entry.base_length + entry.token_count == entry.tail_first_position) continue;
    for (int32_t head = 0; head < layer.kv_heads; ++head) {
      CascadeRow(pool, entry, layer.first_row + head, args.mass, sums).Insert();
    }
  }
}

}  // namespace sluice::reference
