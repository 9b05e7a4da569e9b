// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Sequences whose body steps write in place. What a step brings is written when it ends,
// so that one that is undone may have written nothing.

#include <algorithm>
#include <utility>

#include "tests/daemon/cache/cache_simulation.h"

namespace sluice {

// Cuts the step's tokens into runs: each ends a chunk that moves into the body, but what
// the last one leaves pending.
ModelBodyStep CacheSimulation::RandomBodyStep(const ModelSequence& sequence, int64_t tokens) {
  const auto kept = static_cast<int64_t>(sequence.tail.size());
  ModelBodyStep step;
  step.old_slots = std::ssize(sequence.body_slots);
  step.end = {sequence.tail_first, step.old_slots, 0, static_cast<int32_t>(sequence.tail_start)};
  int64_t blocks = kept;
  int64_t length = sequence.length;
  for (int64_t left = tokens; left > 0 || length > step.end.first_position;) {
    const int64_t count = Random(left + 1);
    step.runs.push_back({length, count, step.end});
    length += count;
    left -= count;
    const int64_t slots = step.end.tail_start + length - step.end.first_position;
    blocks = std::max(blocks, step.end.first_block + sequence.BlocksFor(slots));
    if (left == 0 && OneIn(2)) break;
    step.end.first_position = length;
    step.end.first_block = kept;
    step.end.tail_start = 0;
  }
  step.writes.new_tail_blocks = blocks - kept;
  AddBodyWrites(sequence, step);
  return step;
}

// New slots of the body, and old ones that are written again.
void CacheSimulation::AddBodyWrites(const ModelSequence& sequence, ModelBodyStep& step) {
  const int64_t moved = step.end.first_position - sequence.tail_first;
  if (moved == 0) return;
  const int64_t had = step.old_slots;
  step.end.body_slots = std::clamp<int64_t>(had + Random(moved + 1), 1, 24);
  for (int64_t i = 0; i < moved && had > 0; ++i) step.slots.insert(Random(had));
  for (int64_t slot = had; slot < step.end.body_slots; ++slot) step.slots.insert(slot);
  for (const int64_t slot : step.slots) {
    const auto page = static_cast<int32_t>(slot / sequence.geometry.page_size);
    std::vector<int32_t>& pages = step.writes.pages;
    if (pages.empty() || pages.back() != page) pages.push_back(page);
  }
}

void CacheSimulation::ApplyBody(const StepEntryGrant& entry) {
  ModelSequence& sequence = model_.sequences.at(entry.sequence);
  const std::vector<BlockId>& blocks = cache_.Find(entry.sequence)->body_blocks();
  sequence.body_step = body_steps_.at(entry.sequence);
  sequence.step_first_body_block = std::ssize(sequence.body_blocks);
  for (const BlockCopy& copy : entry.body_copies) {
    const auto place = std::find(blocks.begin(), blocks.end(), copy.destination);
    Expect(place != blocks.end(), "a copy that the body does not list");
    ModelBlockPtr& block = sequence.body_blocks[static_cast<size_t>(place - blocks.begin())];
    // With counts queued to be dropped a copy may happen that the model does not need.
    Expect(cache_.reclaim_pending() || lazy_reclaim_ || block.use_count() > 1,
           "a block of a body was copied for nothing");
    const std::span<const PageId> pages = cache_.BlockPages(copy.destination);
    TakeOver(sequence, pages);
    for (size_t row = 0; row < pages.size(); ++row) {
      memory_.CopyPage(block->pages[row], pages[row], copy.slots);
    }
    block = std::make_shared<ModelBlock>(ModelBlock{{pages.begin(), pages.end()}});
    ++events_["copy of a block of a body"];
  }
  for (const int32_t page : sequence.body_step.writes.pages) {
    const auto index = static_cast<size_t>(page);
    if (index < sequence.body_blocks.size()) {
      Expect(sequence.body_blocks[index].use_count() == 1, "a shared body would be written");
      continue;
    }
    const std::span<const PageId> pages = cache_.BlockPages(blocks[index]);
    TakeOver(sequence, pages);
    sequence.body_blocks.push_back(
        std::make_shared<ModelBlock>(ModelBlock{{pages.begin(), pages.end()}}));
    ++events_["new block of a body"];
  }
}

// What the step's operations write: the tokens of each run where they lie, then the body.
void CacheSimulation::WriteBodyStep(ModelSequence& sequence) {
  const ModelBodyStep& step = sequence.body_step;
  const int64_t page_size = sequence.geometry.page_size;
  for (const ModelBodyStep::Run& run : step.runs) {
    for (int64_t i = 0; i < run.count; ++i) {
      const int64_t position = run.first_position + i;
      const int64_t slot = run.at.tail_start + position - run.at.first_position;
      const auto block = static_cast<size_t>(run.at.first_block + slot / page_size);
      for (const PageId page : sequence.tail.at(block)->pages) {
        memory_.Write(TestLane::kForeground, {page, slot % page_size},
                      sequence.step_uids[static_cast<size_t>(position - sequence.length)]);
      }
    }
  }
  sequence.body_slots.resize(static_cast<size_t>(step.end.body_slots));
  for (const int64_t slot : step.slots) {
    const TokenUid uid = NewToken(sequence.tenant);
    sequence.body_slots[static_cast<size_t>(slot)] = uid;
    const auto block = static_cast<size_t>(slot / page_size);
    for (const PageId page : sequence.body_blocks[block]->pages) {
      memory_.Write(TestLane::kForeground, {page, slot % page_size}, uid);
    }
  }
}

// REQUIRES: the step has closed.
void CacheSimulation::MoveIntoBody(SequenceId id) {
  ModelSequence& sequence = model_.sequences.at(id);
  const Cache::TailMove end = sequence.body_step.end;
  cache_.MoveIntoBody(id, end);
  for (ModelRow& row : sequence.rows) {
    std::erase_if(row, [&](const ModelToken& t) { return t.position < end.first_position; });
  }
  if (end.first_position > sequence.tail_first) ++events_["move into a body"];
  if (end.first_block > 0 && end.first_position < sequence.length) {
    ++events_["pending chunk behind the old tail"];
  }
  sequence.tail_first = end.first_position;
  sequence.tail_start = end.tail_start;
  const bool is_empty = sequence.length == sequence.tail_first;
  const int64_t held = is_empty ? 0 : sequence.BlocksFor(sequence.used());
  const auto cut = [&](auto& list) {
    list.erase(list.begin(), list.begin() + end.first_block);
    list.resize(static_cast<size_t>(held));
  };
  cut(sequence.tail);
  if (sequence.scores != nullptr) cut(sequence.scores->pages);
  sequence.DropEmptyTail();
}

// What it wrote in the body cannot be taken back.
void CacheSimulation::UndoBody(SequenceId id) {
  ModelSequence& sequence = model_.sequences.at(id);
  const auto first = static_cast<size_t>(sequence.step_first_body_block);
  sequence.body_blocks.resize(first);
  sequence.body_slots.resize(static_cast<size_t>(sequence.body_step.old_slots));
  if (sequence.body_scores != nullptr) sequence.body_scores->pages.resize(first);
  if (first == 0) sequence.body_scores.reset();
  ++events_["undo of a step on a body in place"];
}

}  // namespace sluice
