// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a step's layers are scored while it computes later ones.

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "daemon/base/checked_math.h"
#include "daemon/engine/job_plan.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/observations.h"
#include "daemon/engine/pool_pages.h"

namespace sluice {
namespace {

// So that a lane that does not move is not overrun: each is some operations of others'.
constexpr Ticket kMostOperationsAhead = Backend::kLaneCapacity / 4;

}  // namespace

void Jobs::PrepareAhead(const StepState& step) {
  if (step.append_only) return;
  for (const OpenEntry& entry : step.entries) {
    if (!entry.request.prefill_end) continue;
    PrepareAhead(*entry.sequence, entry.request.token_count);
  }
}

// With drafts the trigger comes after a rollback that is not known yet.
bool Jobs::PrepareAhead(SequenceState& sequence, int64_t token_count) {
  const Policy& policy = *sequence.policy;
  const std::optional<BlockId> rings = core_.cached(sequence).observations();
  if (sequence.draft_tokens > 0 || sequence.job != nullptr || !rings.has_value() ||
      policy.scorer() != Scorer::kWindow || !policy.triggers().prefill_end) {
    return false;
  }
  const int64_t length = core_.cached(sequence).length() + token_count;
  if (!Acts(sequence, Trigger::kPrefillEnd, length)) return false;
  std::vector<RowFacts> rows;
  const JobFacts facts = FactsOf(sequence, policy, length, rows);
  const JobRecipe recipe = policy.Plan(facts);
  if (recipe.evicts_nothing || recipe.count_segments.empty()) return false;
  auto ahead = std::make_unique<ScoresAhead>();
  ahead->sequence = &sequence;
  ahead->policy = sequence.policy;
  ahead->length_tokens = length;
  ahead->snapshot_tokens = facts.snapshot_tokens;
  ahead->rule = recipe.window_score;
  ahead->rings = *rings;
  int64_t bytes = 0;
  for (const RowFacts& row : rows) {
    ahead->slots.push_back(row.slots - (length - facts.snapshot_tokens));
    bytes += WorkspaceBytes(ahead->slots.back());
  }
  if (bytes > core_.memory.workspace_bytes || !TakeAhead(*ahead)) return false;
  sequence.ahead = ahead.get();
  ahead_.push_back(std::move(ahead));
  return true;
}

// False, with nothing taken, where the memory for it is not free.
bool Jobs::TakeAhead(ScoresAhead& ahead) {
  const SequenceState& sequence = *ahead.sequence;
  const Model& model = *sequence.model->model;
  int64_t most_slots = 1;
  for (int32_t index = 0; index < model.layer_count(); ++index) {
    if (!model.owns_cache(index)) continue;
    const LayerShape& layer = model.shape(index);
    std::vector<int64_t>& offsets = ahead.offsets.emplace_back(1, 0);
    for (int32_t row = layer.first_row; row < layer.first_row + layer.kv_heads; ++row) {
      offsets.push_back(offsets.back() +
                        RoundUp(ahead.slots[static_cast<size_t>(row)], kSlotsPerWord));
    }
    most_slots = std::max(most_slots, offsets.back());
  }
  const int64_t bytes = most_slots * static_cast<int64_t>(sizeof(float));
  const int64_t slab_bytes = core_.memory.pool.slab_bytes;
  if (bytes > slab_bytes) return false;
  const int64_t list_bytes = sequence.list.count * static_cast<int64_t>(sizeof(uint32_t));
  const std::optional<TableRange> list = core_.tables.Allocate(list_bytes);
  if (!list.has_value()) return false;
  std::vector<SlabId> slabs_to_clear;
  const std::optional<BlockId> pages = core_.cache.TakeBlock(
      core_.cached(sequence).tenant(),
      PagesOf(core_, RoundUpToFewSizes(bytes, slab_bytes)).size_class,
      static_cast<int64_t>(ahead.offsets.size()), &slabs_to_clear);
  if (!pages.has_value()) {
    core_.tables.Free(*list);
    return false;
  }
  core_.ClearSlabs(slabs_to_clear);
  core_.cache.HoldBlock(ahead.rings);
  ahead.pages = *pages;
  ahead.list_range = *list;
  std::copy_n(static_cast<const std::byte*>(core_.tables.At(sequence.list.range)), list_bytes,
              core_.tables.Write<std::byte>(*list, 0, list_bytes));
  ahead.entry = core_.EntryOf(sequence);
  ahead.entry.block_list_offset = list->offset;
  ahead.entry.base_length = ahead.snapshot_tokens;
  return true;
}

// Layers that do not come in their order are left to the job, as are those after one.
void Jobs::ScoreAhead(const StepState& step, const LayerShape& layer) {
  for (const OpenEntry& open : step.entries) {
    ScoresAhead* const ahead = open.sequence->ahead;
    if (ahead == nullptr) continue;
    const size_t place = ahead->tickets.size();
    const bool is_next = place < ahead->offsets.size() &&
                         step.model->model->own_index(layer.layer) == static_cast<int32_t>(place);
    const Ticket under_way = core_.backend.Submitted(Lane::kBackground) -
                             core_.backend.Completed(Lane::kBackground);
    if (!is_next || under_way >= kMostOperationsAhead) continue;
    WindowScoreArgs args = WindowArgs(*open.sequence, ahead->rule, layer, ahead->rings);
    args.rows = {&ahead->entry, layer.first_row, layer.kv_heads, ahead->offsets[place].data()};
    args.length = ahead->length_tokens;
    args.scores = reinterpret_cast<float*>(PageAt(core_, ahead->pages, place));
    ahead->tickets.push_back(core_.backend.Submit(Lane::kBackground, args));
  }
}

void Jobs::DropAhead(SequenceState& sequence) {
  if (sequence.ahead == nullptr) return;
  std::exchange(sequence.ahead, nullptr)->sequence = nullptr;
  DropPassedAhead();
}

// What the operations under way read or write stays until they have passed.
bool Jobs::DropPassedAhead() {
  const auto dropped = std::erase_if(ahead_, [this](const std::unique_ptr<ScoresAhead>& ahead) {
    if (ahead->sequence != nullptr || IsUnderWay(*ahead)) return false;
    core_.cache.ReleaseBlock(ahead->pages);
    core_.cache.ReleaseBlock(ahead->rings);
    core_.tables.Free(ahead->list_range);
    return true;
  });
  if (dropped > 0) core_.waiting.Changed();
  return dropped > 0;
}

bool Jobs::IsUnderWay(const ScoresAhead& ahead) const {
  return !ahead.tickets.empty() &&
         core_.backend.Completed(Lane::kBackground) < ahead.tickets.back();
}

int32_t Jobs::RowsAhead(const Job& job) const {
  const ScoresAhead* const ahead = job.sequence->ahead;
  if (ahead == nullptr || ahead->policy != job.policy || job.rows.first_row != 0 ||
      ahead->length_tokens != job.facts.length_tokens ||
      ahead->snapshot_tokens != job.facts.snapshot_tokens || ahead->slots != job.slots) {
    return 0;
  }
  const Ticket completed = core_.backend.Completed(Lane::kBackground);
  int32_t rows = 0;
  for (size_t place = 0; place < ahead->tickets.size(); ++place) {
    if (ahead->tickets[place] > completed) break;
    rows += static_cast<int32_t>(ahead->offsets[place].size()) - 1;
  }
  return std::min(rows, job.rows.row_count);
}

void Jobs::SubmitCopiesOfAhead(Job& job, int32_t row_count) {
  const ScoresAhead& ahead = *job.sequence->ahead;
  auto* const workspace = reinterpret_cast<float*>(core_.memory.workspace);
  job.copies.clear();
  size_t row = 0;
  for (size_t place = 0; place < ahead.tickets.size(); ++place) {
    const auto* scores = reinterpret_cast<const float*>(PageAt(core_, ahead.pages, place));
    for (size_t head = 0; head + 1 < ahead.offsets[place].size(); ++head, ++row) {
      if (row == static_cast<size_t>(row_count)) break;
      job.copies.push_back({scores + ahead.offsets[place][head],
                            workspace + job.row_offsets[row], job.slots[row]});
    }
  }
  ChooseLane(job, 0);
  job.ticket = core_.backend.Submit(
      job.lane, CopyScoresArgs{job.copies.data(), static_cast<int64_t>(job.copies.size())});
}

}  // namespace sluice
