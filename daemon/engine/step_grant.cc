// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a step gets its blocks and what kernels read of it.

#include <algorithm>
#include <utility>

#include "daemon/base/reason.h"
#include "daemon/engine/calls.h"
#include "daemon/engine/scores.h"
#include "daemon/engine/segments.h"
#include "daemon/engine/steps.h"

namespace sluice {
namespace {

// Layers of this many shapes are cut into pieces when a step begins, others when
// they are called: a model has one shape, or two, with a window and without.
constexpr int32_t kShapesCutAtBegin = 2;

}  // namespace

bool Steps::ReserveLists(const OpenEntry& entry, int64_t blocks) {
  SequenceState& sequence = *entry.sequence;
  if (entry.cascade.has_value()) return true;  // the step has its own
  if (!core_.tables.Reserve(sequence.list, blocks)) return false;
  if (KeepsObservations(sequence, entry.request.phase) && !ReserveRingList(core_, sequence)) {
    return false;
  }
  return !core_.cached(sequence).scores().has_value() ||
         ReserveScoreList(core_, sequence, blocks);
}

// Settles what the step does to its cascades, and makes room for its entries' lists. How
// many blocks it may get; nothing: the tables are full.
std::optional<int64_t> Steps::ReserveTables(const Pending& pending,
                                            const std::vector<size_t>& chosen,
                                            StepState& step) {
  int64_t blocks = 0;
  bool listed = true;
  for (OpenEntry& entry : step.entries) {
    const size_t index = chosen[static_cast<size_t>(&entry - step.entries.data())];
    entry.cascade = pending.cascades[index];
    const StepEntry& request = entry.request;
    const Sequence& state = core_.cached(*entry.sequence);
    const int64_t kept = state.BlocksAt(request.base_length);
    int64_t added = state.NewBlocksAt(request.base_length, request.token_count);
    if (entry.cascade.has_value()) {
      added = entry.cascade->writes.new_tail_blocks;
      blocks += static_cast<int64_t>(entry.cascade->writes.pages.size());
    }
    blocks += added;
    if (state.OpenBlockSlotsAt(request.base_length) > 0 &&
        core_.cache.MayShareBlock(state.blocks()[static_cast<size_t>(kept - 1)])) {
      ++blocks;
    }
    listed = listed && ReserveLists(entry, kept + added);
  }
  return listed ? std::optional<int64_t>(blocks) : std::nullopt;
}

absl::Status Steps::Allocate(const Pending& pending, const std::vector<size_t>& chosen,
                             const std::vector<SequenceState*>& sequences,
                             DroppedPages dropped, StepState& step) {
  for (const size_t index : chosen) {
    const StepEntry& request = pending.command.entries[index];
    step.entries.push_back({sequences[index], request, request.base_length, std::nullopt});
    step.has_cascades = step.has_cascades || sequences[index]->cascade != nullptr;
  }
  const std::optional<int64_t> blocks = ReserveTables(pending, chosen, step);
  auto ranges =
      core_.tables.AllocateBlocks(blocks.value_or(0), step.model->model->row_count());
  const auto view_range =
      core_.tables.Allocate(static_cast<int64_t>(chosen.size() * sizeof(ViewEntry)) +
                            (step.has_cascades ? SegmentTableBytes(step) : 0));
  absl::StatusOr<StepGrant> grant = absl::ResourceExhaustedError("");
  const bool tables_fit = blocks.has_value() && ranges.has_value() && view_range.has_value();
  std::vector<int64_t> old_lengths;
  for (const OpenEntry& entry : step.entries) {
    old_lengths.push_back(core_.cached(*entry.sequence).length());
    if (tables_fit) jobs_.EndAbove(*entry.sequence, entry.base_length);
  }
  if (tables_fit) grant = core_.cache.BeginStep(RequestsOf(pending, chosen, sequences), dropped);
  if (!grant.ok()) {
    for (const TableRange& range : ranges.value_or(std::vector<TableRange>())) {
      core_.tables.Free(range);
    }
    core_.tables.Free(view_range.value_or(TableRange()));
    if (tables_fit) return grant.status();
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                  "the table segment is full", kStepRetryAfterMs);
  }
  step.view_range = *view_range;
  ApplyGrant(*grant, *std::move(ranges), step);
  for (size_t i = 0; i < step.entries.size(); ++i) {
    CountRollback(*step.entries[i].sequence, old_lengths[i]);
  }
  return absl::OkStatus();
}

void Steps::ApplyGrant(const StepGrant& grant, std::vector<TableRange> ranges, StepState& step) {
  core_.ClearSlabs(grant.slabs_to_clear);
  for (const BlockId block : grant.new_blocks) {
    core_.tables.SetBlock(block, ranges.back(), core_.cache.BlockPages(block));
    ranges.pop_back();
  }
  for (const TableRange& unused : ranges) core_.tables.Free(unused);
  for (size_t i = 0; i < step.entries.size(); ++i) {
    SequenceState& sequence = *step.entries[i].sequence;
    const StepEntryGrant& granted = grant.entries[i];
    const std::vector<BlockId>& blocks = core_.cached(sequence).blocks();
    const int64_t changed = granted.new_block_count + (granted.copy.has_value() ? 1 : 0);
    if (sequence.cascade == nullptr) {
      core_.tables.AssignFrom(sequence.list, blocks,
                              static_cast<int64_t>(blocks.size()) - changed);
    }
    if (granted.copy.has_value()) SubmitCopy(*granted.copy, sequence);
    for (const BlockCopy& copy : granted.body_copies) SubmitCopy(copy, sequence);
    if (KeepsObservations(sequence, step.entries[i].request.phase)) {
      OpenRings(core_, sequence, granted);
    }
    if (core_.cached(sequence).scores().has_value()) OpenScores(core_, sequence, granted);
  }
  WriteView(step);
}

void Steps::SubmitCopy(const BlockCopy& copy, const SequenceState& sequence) {
  // The pages' ids live as long as the operation: the dispatcher keeps them.
  const auto sources = core_.cache.BlockPages(copy.source);
  const auto destinations = core_.cache.BlockPages(copy.destination);
  std::vector<PageCopy> pages(sources.size());
  for (size_t row = 0; row < pages.size(); ++row) {
    pages[row] = {sources[row].value, destinations[row].value};
  }
  core_.dispatcher.SubmitCopy(std::move(pages), copy.slots, core_.FormatOf(sequence));
}

void Steps::WriteView(StepState& step) {
  auto* const entries = core_.tables.Entries(step.view_range);
  int64_t first_token = 0;
  step.row_slots.reserve(step.entries.size());
  for (size_t i = 0; i < step.entries.size(); ++i) {
    const OpenEntry& open = step.entries[i];
    ViewEntry entry = core_.EntryOf(*open.sequence);
    entry.token_count = static_cast<int32_t>(open.request.token_count);
    entry.first_token = first_token;
    first_token += entry.token_count;
    if (KeepsObservations(*open.sequence, open.request.phase)) {
      entry.observation_list_offset = open.sequence->ring_list.offset;
      entry.observation_capacity = open.sequence->rings->layout.capacity;
      step.observed_rows += std::min(entry.token_count, entry.observation_capacity);
    }
    AddMassRule(core_, *open.sequence, step);
    entries[i] = entry;
    step.row_slots.push_back(core_.RowSlotsOf(entry, *open.sequence));
  }
  step.view = {entries, static_cast<int32_t>(step.entries.size()), first_token};
  if (step.has_cascades) {
    MakeSegments(core_, reinterpret_cast<std::byte*>(entries + step.entries.size()), step);
  } else {
    CutLayers(step);
  }
}

// Every attend over all of the step needs it; so that none has to look at every entry.
void Steps::CutLayers(StepState& step) {
  const Model& model = *step.model->model;
  step.pieces.resize(static_cast<size_t>(model.layer_count()));
  int32_t cut = 0;
  for (int32_t layer = 0; layer < model.layer_count() && cut < kShapesCutAtBegin; ++layer) {
    if (model.first_alike(layer) != layer) continue;
    PiecesOf(step, layer);
    ++cut;
  }
}

}  // namespace sluice
