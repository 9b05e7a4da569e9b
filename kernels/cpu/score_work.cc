// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/score_work.h"

#include <algorithm>
#include <limits>

#include "kernels/core/kept.h"
#include "kernels/core/mass.h"
#include "kernels/core/number.h"

namespace sluice::cpu {
namespace {

// Slots of an item, some nanoseconds each where they are read with gaps.
constexpr int64_t kItemSlots = 32768;

// Rows of an item, if all were of one length.
int64_t RowsPerItem(const RowSet& rows) {
  const int64_t slots = std::max<int64_t>(1, rows.row_offsets[rows.row_count]);
  return std::max<int64_t>(1, kItemSlots * rows.row_count / slots);
}

Row MakeRowOf(const PoolView& pool, const RowSet& rows, int64_t r) {
  return MakeRow(pool, *rows.entry, rows.first_row + static_cast<int32_t>(r),
                 rows.entry->base_length);
}

// Calls `body(page_index, first, end, slot)` for each page of a span: slots
// [first, end) of the page are slots [slot, slot + end - first) of the span.
template <class Body>
void ForEachPage(const Span& span, const Body& body) {
  const int64_t page_size = span.format->page.page_size;
  for (int64_t slot = 0; slot < span.slots;) {
    const int64_t index = span.first_slot + slot;
    const int64_t first = index % page_size;
    const int64_t end = std::min(page_size, first + span.slots - slot);
    body(index / page_size, first, end, slot);
    slot += end - first;
  }
}

}  // namespace

int64_t KeyNormScoreWork::Plan() {
  rows_per_item_ = RowsPerItem(args_.rows);
  return CeilDivide(args_.rows.row_count, rows_per_item_);
}

void KeyNormScoreWork::Run(int64_t item, WorkerScratch&) {
  const int64_t end = std::min<int64_t>(args_.rows.row_count, (item + 1) * rows_per_item_);
  for (int64_t r = item * rows_per_item_; r < end; ++r) {
    const Row row = MakeRowOf(pool_, args_.rows, r);
    float* scores = args_.scores + args_.rows.row_offsets[r];
    for (int32_t s = 0; s < row.span_count; ++s) {
      ScoreSpan(row.spans[s], scores);
      scores += row.spans[s].slots;
    }
  }
}

void KeyNormScoreWork::ScoreSpan(const Span& span, float* scores) const {
  ForEachPage(span, [&](int64_t page, int64_t first, int64_t end, int64_t slot) {
    const float* norms = PageKeyNorms(pool_, span.format->slab, span.Page(page));
    for (int64_t i = first; i < end; ++i) {
      scores[slot + i - first] =
          IsFinite(norms[i]) ? -norms[i] : -std::numeric_limits<float>::infinity();
    }
  });
}

int64_t MoveScoresWork::Plan() {
  rows_per_item_ = RowsPerItem(args_.rows);
  return CeilDivide(args_.rows.row_count, rows_per_item_);
}

void MoveScoresWork::Run(int64_t item, WorkerScratch&) {
  const int64_t end = std::min<int64_t>(args_.rows.row_count, (item + 1) * rows_per_item_);
  for (int64_t r = item * rows_per_item_; r < end; ++r) MoveRow(static_cast<int32_t>(r));
}

// Scores of a page's slots; null: the entry has no score memory for them.
const float* MoveScoresWork::PageScores(const Span& span, int64_t page) const {
  const ViewEntry& entry = *args_.rows.entry;
  const int64_t page_size = span.format->page.page_size;
  if (!span.contiguous) {
    if (entry.body_scores_offset == kNoOffset) return nullptr;
    const auto* bodies = reinterpret_cast<const BodiesRecord*>(pool_.tables + entry.bodies_offset);
    const auto* rows = reinterpret_cast<const BodyRow*>(bodies + 1);
    return reinterpret_cast<const float*>(pool_.pool + entry.body_scores_offset) +
           (rows[span.row].first_page + page) * page_size;
  }
  if (entry.score_list_offset == kNoOffset) return nullptr;
  const auto* list = reinterpret_cast<const uint64_t*>(pool_.tables + entry.score_list_offset);
  return reinterpret_cast<const float*>(pool_.pool + list[page]) + span.row * page_size;
}

void MoveScoresWork::MoveRow(int32_t r) const {
  const Row row = MakeRowOf(pool_, args_.rows, r);
  const uint32_t* mask =
      args_.masks == nullptr ? nullptr : args_.masks + args_.rows.row_offsets[r] / 32;
  float* destination = args_.destination + args_.destination_offsets[r];
  int64_t row_slot = 0;
  for (int32_t s = 0; s < row.span_count; ++s) {
    const Span& span = row.spans[s];
    ForEachPage(span, [&](int64_t page, int64_t first, int64_t end, int64_t) {
      const float* scores = PageScores(span, page);
      for (int64_t i = first; i < end; ++i, ++row_slot) {
        const bool kept = mask == nullptr || (mask[row_slot / 32] >> (row_slot % 32) & 1u) != 0;
        if (!kept) continue;
        *destination = scores == nullptr ? 0.0f : scores[i];
        if (args_.seen_below > 0) Normalise(span, page, i, destination);
        ++destination;
      }
    });
  }
}

void MoveScoresWork::Normalise(const Span& span, int64_t page, int64_t slot,
                               float* score) const {
  const int32_t* positions = PagePositions(pool_, span.format->slab, span.Page(page));
  *score /= static_cast<float>(RowsThatSaw(args_.seen_below - positions[slot], args_.window));
}

void CopyScoresWork::Run(int64_t item, WorkerScratch&) {
  const ScoreCopy& copy = args_.copies[item];
  std::copy_n(copy.source, copy.count, copy.destination);
}

}  // namespace sluice::cpu
