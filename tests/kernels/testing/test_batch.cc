// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/testing/test_batch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/core/mass.h"
#include "kernels/reference/mass.h"
#include "kernels/reference/slot.h"

namespace sluice::kernels_testing {
namespace {

using reference::SlotPlace;

reference::SlotContent RandomContent(const PageFormat& format, const FillOptions& fill,
                                     int64_t position, Random random) {
  reference::Vector k(static_cast<size_t>(format.k_dim));
  reference::Vector v(static_cast<size_t>(format.v_dim));
  for (float& value : k) value = random.Normal();
  for (float& value : v) value = random.Normal();
  const float log_mass = random.Chance(fill.log_mass) ? random.Normal() : 0.0f;
  if (random.Chance(fill.non_finite)) k[0] = std::numeric_limits<float>::infinity();
  return reference::MakeContent(format, std::move(k), std::move(v), position, log_mass);
}

reference::SlotContent DeadContent(const PageFormat& format) {
  return reference::MakeContent(
      format, reference::Vector(static_cast<size_t>(format.k_dim), 1000.0f),
      reference::Vector(static_cast<size_t>(format.v_dim), 1000.0f), 0, 0.0f);
}

// `count` positions below `end`, ascending.
std::vector<int64_t> AscendingPositions(int64_t count, int64_t end, Random random) {
  std::vector<int64_t> positions;
  for (int64_t position = 0; position < end; ++position) {
    const int64_t wanted = count - static_cast<int64_t>(positions.size());
    if (random.Below(end - position) < wanted) positions.push_back(position);
  }
  return positions;
}

}  // namespace

TestBatch::TestBatch(const PageFormat& format, int32_t rows, int64_t seed, FillOptions fill)
    : world_(seed), format_(world_.AddFormat(format)), rows_(rows), seed_(seed), fill_(fill) {}

void TestBatch::AddSequence(const SequenceShape& shape, int64_t identity) {
  if (identity < 0) identity = static_cast<int64_t>(entries_.size());
  ViewEntry entry;
  entry.tail_first_position = shape.tail_first_position >= 0
                                  ? shape.tail_first_position
                                  : shape.body_slots + shape.body_slots / 2;
  entry.tail_start =
      shape.tail_start >= 0
          ? shape.tail_start
          : static_cast<int32_t>(entry.tail_first_position % page_format().page_size);
  entry.base_length = entry.tail_first_position + shape.stored_tokens;
  entry.token_count = shape.step_tokens;
  entry.first_token = total_tokens_;
  entry.tail_format = format_;
  entry.body_format = format_;
  if (shape.body_slots > 0) AddBodies(shape, &entry, identity);
  AddTail(shape.stored_tokens + shape.step_tokens, 1, &entry);
  StoreTail(entry, identity, entry.tail_first_position, entry.base_length);
  total_tokens_ += shape.step_tokens;
  entries_.push_back(entry);
  identities_.push_back(identity);
  score_sums_.push_back(1);
}

void TestBatch::AddCascade(const CascadeShape& shape, int64_t identity) {
  if (identity < 0) identity = static_cast<int64_t>(entries_.size());
  ViewEntry entry;
  entry.tail_first_position = shape.inserted_tokens;
  entry.tail_start = shape.tail_start;
  entry.base_length = shape.inserted_tokens + shape.pending_tokens;
  entry.token_count = shape.step_tokens;
  entry.first_token = total_tokens_;
  entry.tail_format = format_;
  entry.body_format = format_;
  entry.cascade_offset = world_.TakeTable(sizeof(CascadeGeometry));
  *world_.Table<CascadeGeometry>(entry.cascade_offset) = shape.geometry;
  AddCascadeBody(shape, &entry, identity);
  AddTail(shape.pending_tokens + shape.step_tokens, 1 + shape.score_sums, &entry);
  StoreTail(entry, identity, entry.tail_first_position, entry.base_length);
  total_tokens_ += shape.step_tokens;
  entries_.push_back(entry);
  identities_.push_back(identity);
  score_sums_.push_back(shape.score_sums);
}

void TestBatch::AddCascadeBody(const CascadeShape& shape, ViewEntry* entry, int64_t identity) {
  const int32_t page_size = page_format().page_size;
  const int32_t used = CascadeSlots(shape.geometry, shape.inserted_tokens);
  const int32_t reached =
      CascadeSlots(shape.geometry, entry->base_length + entry->token_count);
  AddBlocks(RoundUp(reached, page_size) / page_size, 1 + shape.score_sums,
            &entry->body_list_offset, &entry->body_score_list_offset);
  for (int32_t r = 0; r < rows_; ++r) {
    const Span body = CascadeBody(pool(), *entry, r);
    for (int32_t slot = 0; slot < used; ++slot) {
      const uint32_t page = body.Page(slot / page_size);
      if (slot % page_size == 0) reference::ClearPage(pool(), world_.format(format_), page);
      reference::WriteSlot(
          pool(), SlotPlace{&world_.format(format_), page, slot % page_size},
          RandomContent(page_format(), fill_, slot, Random({seed_, identity, r, slot, 6})));
    }
  }
}

void TestBatch::AdvanceCascade(size_t entry, int64_t inserted, int64_t base_length,
                               int32_t count) {
  entries_[entry].tail_first_position = inserted;
  SetStep(entry, base_length, count);
}

void TestBatch::AddBodies(const SequenceShape& shape, ViewEntry* entry, int64_t identity) {
  const int32_t page_size = page_format().page_size;
  std::vector<BodyRow> rows(static_cast<size_t>(rows_));
  uint32_t pages = 0;
  for (int32_t r = 0; r < rows_; ++r) {
    Random random({seed_, identity, r, 2});
    rows[r].slots =
        static_cast<int32_t>(r == 0 ? shape.body_slots : random.Below(shape.body_slots + 1));
    if (r > 0 && random.Chance(0.1)) rows[r].slots = 0;
    rows[r].first_page = pages;
    pages += static_cast<uint32_t>(RoundUp(rows[r].slots, page_size) / page_size);
  }
  const int64_t row_bytes =
      static_cast<int64_t>(sizeof(BodiesRecord) + rows.size() * sizeof(BodyRow));
  entry->bodies_offset = world_.TakeTable(row_bytes + 4 * int64_t{pages});
  *world_.Table<BodiesRecord>(entry->bodies_offset) = BodiesRecord{rows_, pages};
  std::copy(rows.begin(), rows.end(),
            world_.Table<BodyRow>(entry->bodies_offset + sizeof(BodiesRecord)));
  for (uint32_t page = 0; page < pages; ++page) {
    const uint32_t id = world_.TakePage(format_);
    reference::ClearPage(pool(), world_.format(format_), id);
    world_.Table<uint32_t>(entry->bodies_offset + static_cast<uint64_t>(row_bytes))[page] = id;
  }
  if (fill_.scores)
    entry->body_scores_offset = world_.TakePoolBytes(int64_t{pages} * page_size * 4);
  for (int32_t r = 0; r < rows_; ++r) {
    const std::vector<int64_t> positions = AscendingPositions(
        rows[r].slots, entry->tail_first_position, Random({seed_, identity, r, 3}));
    const Row row = MakeRow(pool(), *entry, r, entry->tail_first_position);
    for (size_t slot = 0; slot < positions.size(); ++slot) {
      reference::WriteSlot(pool(), reference::PlaceInRow(row, static_cast<int64_t>(slot)),
                           RandomContent(page_format(), fill_, positions[slot],
                                         Random({seed_, identity, r, positions[slot], 4})));
    }
  }
}

void TestBatch::AddTail(int64_t tokens, int32_t score_floats, ViewEntry* entry) {
  const int32_t page_size = page_format().page_size;
  AddBlocks(RoundUp(entry->tail_start + tokens, page_size) / page_size, score_floats,
            &entry->block_list_offset, &entry->score_list_offset);
  if (entry->tail_start == 0) return;
  for (int32_t r = 0; r < rows_; ++r) {
    const uint64_t words = *world_.Table<uint32_t>(entry->block_list_offset) * uint64_t{4};
    const uint32_t page = world_.Table<uint32_t>(words)[r];
    reference::ClearPage(pool(), world_.format(format_), page);
    for (int32_t slot = 0; slot < entry->tail_start; ++slot) {
      reference::WriteSlot(pool(), SlotPlace{&world_.format(format_), page, slot},
                           DeadContent(page_format()));
    }
  }
}

// Lists of blocks of fresh pages and, where there are scores, of their scores.
void TestBatch::AddBlocks(int64_t count, int32_t score_floats, uint64_t* block_list,
                          uint64_t* score_list) {
  *block_list = world_.TakeTable(4 * count);
  if (fill_.scores) *score_list = world_.TakeTable(8 * count);
  for (int64_t block = 0; block < count; ++block) {
    const uint64_t words = world_.TakeTable(4 * int64_t{rows_});
    world_.Table<uint32_t>(*block_list)[block] = static_cast<uint32_t>(words / 4);
    for (int32_t r = 0; r < rows_; ++r) {
      world_.Table<uint32_t>(words)[r] = world_.TakePage(format_);
    }
    if (!fill_.scores) continue;
    world_.Table<uint64_t>(*score_list)[block] =
        world_.TakePoolBytes(int64_t{rows_} * page_format().page_size * score_floats * 4);
  }
}

void TestBatch::StoreTail(const ViewEntry& entry, int64_t identity, int64_t begin, int64_t end) {
  for (int32_t r = 0; r < rows_; ++r) {
    const Row row = MakeRow(pool(), entry, r, end);
    if (row.span_count == 0) continue;
    const Span& tail = row.spans[row.span_count - 1];
    for (int64_t slot = 0; tail.page_ids == nullptr && slot < tail.slots; ++slot) {
      const int64_t position = entry.tail_first_position + slot;
      if (position < begin) continue;
      const SlotPlace place = reference::PlaceInSpan(tail, slot);
      if (place.slot == 0) reference::ClearPage(pool(), *place.format, place.page);
      reference::WriteSlot(
          pool(), place,
          RandomContent(page_format(), fill_, position, Random({seed_, identity, r, position, 4})));
    }
  }
}

void TestBatch::StoreStepTokens() {
  for (size_t e = 0; e < entries_.size(); ++e) {
    const ViewEntry& entry = entries_[e];
    StoreTail(entry, identities_[e], entry.base_length, entry.base_length + entry.token_count);
  }
}

StepView TestBatch::View() const {
  return StepView{entries_.data(), static_cast<int32_t>(entries_.size()), total_tokens_};
}

void TestBatch::AddObservations(const LayerShape& layer, int32_t capacity) {
  for (size_t e = 0; e < entries_.size(); ++e) {
    ViewEntry& entry = entries_[e];
    entry.observation_capacity = capacity;
    entry.observation_list_offset = world_.TakeTable(8 * (int64_t{layer.layer} + 2));
    const ObservationLayout layout = RingLayout(e, layer);
    const uint64_t ring = world_.TakePoolBytes(layout.bytes);
    auto* rings = world_.Table<uint64_t>(entry.observation_list_offset);
    std::fill_n(rings, layer.layer + 2, kNoOffset);
    rings[layer.layer] = ring;
    ClearObservation(world_.Pool<std::byte>(ring), layout);
  }
}

const std::byte* TestBatch::Ring(size_t entry, const LayerShape& layer) const {
  const PoolView view = pool();
  const std::byte* list = view.tables + entries_[entry].observation_list_offset;
  return view.pool + reinterpret_cast<const uint64_t*>(list)[layer.layer];
}

ObservationLayout TestBatch::RingLayout(size_t entry, const LayerShape& layer) const {
  return MakeObservationLayout(entries_[entry].observation_capacity, layer.q_heads, layer.k_dim,
                               page_format().dtype);
}

void TestBatch::SetStep(size_t entry, int64_t base_length, int32_t count) {
  entries_[entry].base_length = base_length;
  entries_[entry].token_count = count;
  total_tokens_ = 0;
  for (ViewEntry& e : entries_) {
    e.first_token = total_tokens_;
    total_tokens_ += e.token_count;
  }
}

void TestBatch::FillScores() {
  for (size_t e = 0; e < entries_.size(); ++e) {
    if (CascadeOf(pool(), entries_[e]) != nullptr) {
      FillCascadeScores(e);
      continue;
    }
    for (int32_t r = 0; r < rows_; ++r) {
      const Row row = MakeRow(pool(), entries_[e], r, entries_[e].base_length);
      for (int64_t slot = 0; slot < row.slots; ++slot) {
        const int64_t position = reference::PositionInRow(pool(), row, slot);
        Random random({seed_, identities_[e], r, position, 5});
        float* score = reference::ScoreAt(pool(), entries_[e], row, slot);
        if (score != nullptr) *score = std::abs(random.Normal());
      }
    }
  }
}

void TestBatch::FillCascadeScores(size_t entry) {
  const ViewEntry& e = entries_[entry];
  const int32_t page_size = page_format().page_size;
  for (int32_t r = 0; r < rows_; ++r) {
    const Row row = MakeRow(pool(), e, r, e.base_length);
    for (int32_t s = 0; s < row.span_count; ++s) {
      const Span& span = row.spans[s];
      for (int64_t index = span.first_slot; index < span.first_slot + span.slots; ++index) {
        float* scores =
            CascadeScores(pool(), e, span, index / page_size, score_sums_[entry]);
        if (!span.scored || scores == nullptr) continue;
        Random random({seed_, identities_[entry], r, s, index, 7});
        for (int32_t plane = 0; plane <= score_sums_[entry]; ++plane) {
          scores[plane * page_size + index % page_size] = std::abs(random.Normal());
        }
      }
    }
  }
}

double TestBatch::LargestValue(size_t entry, int32_t row) const {
  const ViewEntry& e = entries_[entry];
  const Row slots = MakeRow(pool(), e, row, e.base_length + e.token_count);
  double largest = 0.0;
  for (int64_t slot = 0; slot < slots.slots; ++slot) {
    for (const float value : reference::ReadSlot(pool(), reference::PlaceInRow(slots, slot)).v) {
      largest = std::max(largest, std::abs(double{value}));
    }
  }
  return largest;
}

}  // namespace sluice::kernels_testing
