// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// The memory of accumulated scores. An attend that accumulates writes every score of its
// sequence, so all of them are copied where any is shared.

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/cache/cache.h"

namespace sluice {

void Cache::KeepScores(SequenceId sequence, SizeClassId size_class) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(!target.scores() && !target.step_open() && target.blocks().empty() &&
               !target.bodies() && target.body_blocks().empty())
      << "sequence " << sequence.value << " cannot begin to keep scores";
  target.scores_ = AddBlock(size_class, target.tenant(), 0);
}

void Cache::DropScores(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(!target.step_open() && !target.job()) << "sequence " << sequence.value;
  for (std::optional<BlockId>* held : {&target.scores_, &target.body_scores_}) {
    if (const auto dropped = std::exchange(*held, std::nullopt)) reclaim_.DropBlocks({*dropped});
  }
}

// --- steps

// Scores that nobody else has are written where they are.
void Cache::PlanScores(const StepPlan& plan, EntryPlan* entry) const {
  const Sequence& sequence = *entry->sequence;
  entry->copies_scores = sequence.scores() && MustCopyIn(plan, *sequence.scores());
  entry->copies_body_scores =
      sequence.body_scores() && MustCopyIn(plan, *sequence.body_scores());
}

void Cache::AddScoreDemand(const EntryPlan& entry, StepDemand* demand) const {
  const Sequence& sequence = *entry.sequence;
  if (!sequence.scores()) return;
  const int64_t copied = entry.copies_scores ? entry.kept_blocks : 0;
  demand->Add(blocks_[*sequence.scores()].size_class, sequence.tenant(),
              copied + entry.new_blocks);
  if (entry.new_body_blocks > 0) {
    demand->Add(blocks_[*sequence.scores()].size_class, sequence.tenant(),
                entry.new_body_blocks);
  }
  if (!entry.copies_body_scores) return;
  const Block& body = blocks_[*sequence.body_scores()];
  demand->Add(body.size_class, sequence.tenant(), static_cast<int64_t>(body.pages.size()));
}

void Cache::AddScoreCopies(const EntryPlan& entry, StepPlan* plan) const {
  if (entry.copies_scores) ++plan->given_up[*entry.sequence->scores()].copied;
  if (entry.copies_body_scores) ++plan->given_up[*entry.sequence->body_scores()].copied;
}

void Cache::GrantScores(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  const int64_t pages = plan.kept_blocks + plan.new_blocks;
  if (plan.copies_scores) {
    entry->scores_source = ReplaceScores(&sequence.scores_, pages, grant);
  } else {
    blocks_[*sequence.scores()].pages.resize(static_cast<size_t>(pages));
    TakePages(*sequence.scores(), static_cast<size_t>(plan.kept_blocks), grant);
  }
  GrantBodyScores(plan, entry, grant);
}

// Returns what was there, which others may still have.
BlockId Cache::ReplaceScores(std::optional<BlockId>* scores, int64_t page_count,
                             StepGrant* grant) {
  const BlockId source = **scores;
  const BlockId fresh =
      AddBlock(blocks_[source].size_class, blocks_[source].tenant, page_count);
  TakePages(fresh, 0, grant);
  *scores = fresh;
  DropCount(source);  // the last one, if it shares pages only
  return source;
}

void Cache::UndoScores(Sequence& sequence) {
  DropScorePages(*sequence.scores(), sequence.step_first_block_,
                 static_cast<int64_t>(blocks_[*sequence.scores()].pages.size()));
}

// REQUIRES: nobody shares them.
void Cache::DropScorePages(BlockId scores, int64_t first, int64_t end) {
  Block& block = blocks_[scores];
  SLUICE_CHECK(block.references == 1) << "shared scores in a step";
  const auto from = block.pages.begin() + first;
  const auto to = block.pages.begin() + end;
  if (from == to) return;
  reclaim_.DropPages({from, to}, block.tenant, block.size_class);
  block.pages.erase(from, to);
}

// --- commits

// Gives up the pages of the list's first blocks.
void Cache::CutScores(Sequence& sequence, int64_t block_count) {
  if (block_count == 0) return;
  const BlockId id = *sequence.scores();
  if (blocks_[id].references == 1) return DropScorePages(id, 0, block_count);
  const BlockId own = AddBlock(blocks_[id].size_class, blocks_[id].tenant, 0);
  Block& shared = blocks_[id];
  Block& block = blocks_[own];
  block.pages.assign(shared.pages.begin() + block_count, shared.pages.end());
  for (const PageId page : block.pages) pool_.AddReference(page);
  block.may_share_pages = shared.may_share_pages = true;
  --shared.references;
  sequence.scores_ = own;
}

// REQUIRES: the new bodies are the sequence's.
void Cache::CommitBodyScores(Sequence& sequence) {
  if (const auto old = std::exchange(sequence.body_scores_, std::nullopt)) {
    reclaim_.DropBlocks({*old});
  }
  if (!sequence.bodies()) return;
  SLUICE_CHECK(sequence.job()->fresh_scores.has_value()) << "a commit without scores";
  const PageId page = *sequence.job()->fresh_scores;
  const BlockId id = AddBlock(sequence.job()->scores_class, sequence.tenant(), 1);
  blocks_[id].pages[0] = page;
  pool_.AddReference(page);
  tenants_.ChargeBytes(sequence.tenant(), pool_.bytes_of(page));
  sequence.body_scores_ = id;
}

}  // namespace sluice
