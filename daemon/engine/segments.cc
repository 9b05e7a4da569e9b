// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/segments.h"

#include <new>

#include "daemon/engine/core.h"
#include "daemon/engine/state.h"

namespace sluice {
namespace {

constexpr auto kEntryBytes = static_cast<int64_t>(sizeof(ViewEntry));
constexpr auto kViewBytes = static_cast<int64_t>(sizeof(StepView));
static_assert(kEntryBytes % 8 == 0 && kViewBytes % 8 == 0);

// Every run may be a segment with an entry of its own, every entry one without.
int64_t SegmentBytes(const OpenEntry& entry) {
  if (!entry.cascade.has_value() || entry.cascade->is_whole()) return kViewBytes;
  return static_cast<int64_t>(entry.cascade->runs.size()) * (kViewBytes + kEntryBytes);
}

class SegmentMaker {
 public:
  SegmentMaker(const Core& core, std::byte* at, StepState& step)
      : core_(core), at_(at), step_(step) {}

  void Make() {
    for (size_t i = 0; i < step_.entries.size(); ++i) {
      const OpenEntry& open = step_.entries[i];
      if (!open.cascade.has_value()) {
        AddWhole(i, false);
        continue;
      }
      ViewEntry& entry = EntryAt(i);
      WriteCascade(core_, *open.sequence, at_, entry);
      at_ += CascadeTableBytes(open.cascade->tail_blocks, open.cascade->body_blocks);
      if (open.cascade->is_whole()) {
        AddWhole(i, open.cascade->runs[0].inserts);
      } else {
        for (const CascadeRun& run : open.cascade->runs) AddRun(i, run);
      }
    }
  }

 private:
  ViewEntry& EntryAt(size_t index) const {
    return const_cast<ViewEntry&>(step_.view.entries[index]);
  }

  // Entries that follow each other are one segment where they are treated alike.
  void AddWhole(size_t index, bool inserts) {
    const ViewEntry& entry = EntryAt(index);
    const int32_t rule = entry.cascade_offset == kNoOffset ? -1 : step_.entry_rules[index];
    const bool joins = can_join_ && !step_.segments.empty() && IsLike(entry, inserts, rule);
    if (!joins) {
      Add(&entry, entry.first_token, inserts, rule);
      can_join_ = true;
    } else {
      ++view_->entry_count;
    }
    StepSegment& segment = step_.segments.back();
    segment.token_count += entry.token_count;
    segment.row_slots.push_back(step_.row_slots[index]);
    segment.mass_rules.push_back(step_.entry_rules[index]);
  }

  bool IsLike(const ViewEntry& entry, bool inserts, int32_t rule) const {
    const StepSegment& last = step_.segments.back();
    return (view_->entries->cascade_offset == kNoOffset) ==
               (entry.cascade_offset == kNoOffset) &&
           last.inserts == inserts && last.insert_rule == rule;
  }

  void AddRun(size_t index, const CascadeRun& run) {
    auto* const entry = new (at_) ViewEntry(EntryAt(index));
    at_ += kEntryBytes;
    entry->base_length += run.first_token;
    entry->first_token += run.first_token;
    entry->token_count = static_cast<int32_t>(run.token_count);
    entry->tail_first_position = run.chunk_first_position;
    entry->tail_start = run.tail_start;
    const auto block = static_cast<uint64_t>(run.first_block);
    entry->block_list_offset += block * sizeof(uint32_t);
    if (entry->score_list_offset != kNoOffset) {
      entry->score_list_offset += block * sizeof(uint64_t);
    }
    Add(entry, entry->first_token, run.inserts, step_.entry_rules[index]);
    can_join_ = false;
    StepSegment& segment = step_.segments.back();
    segment.token_count = run.token_count;
    segment.row_slots = {core_.RowSlotsOf(*entry, *step_.entries[index].sequence)};
    segment.mass_rules = {step_.entry_rules[index]};
  }

  void Add(const ViewEntry* entry, int64_t first_token, bool inserts, int32_t rule) {
    view_ = new (at_) StepView{entry, 1, step_.view.total_tokens};
    at_ += kViewBytes;
    StepSegment segment;
    segment.view = view_;
    segment.first_token = first_token;
    segment.inserts = inserts;
    segment.insert_rule = rule;
    step_.segments.push_back(std::move(segment));
  }

  const Core& core_;
  std::byte* at_;
  StepState& step_;
  StepView* view_ = nullptr;  // of the last segment
  bool can_join_ = false;
};

}  // namespace

int64_t SegmentTableBytes(const StepState& step) {
  int64_t bytes = 0;
  for (const OpenEntry& entry : step.entries) {
    bytes += SegmentBytes(entry);
    if (!entry.cascade.has_value()) continue;
    bytes += CascadeTableBytes(entry.cascade->tail_blocks, entry.cascade->body_blocks);
  }
  return bytes;
}

void MakeSegments(const Core& core, std::byte* at, StepState& step) {
  SegmentMaker(core, at, step).Make();
}

}  // namespace sluice
