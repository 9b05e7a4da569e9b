// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// Bodies that steps write in place. Which blocks of one a step writes is known before it
// begins; those that others list too are copied, the rest of it goes on being shared.

#include <algorithm>
#include <utility>

#include "daemon/base/check.h"
#include "daemon/base/checked_math.h"
#include "daemon/cache/cache.h"

namespace sluice {

// --- steps

void Cache::PlanBody(const StepPlan& plan, EntryPlan* entry) const {
  entry->copied_body_blocks.clear();
  entry->new_body_blocks = 0;
  if (entry->body == nullptr) return;
  const std::vector<BlockId>& blocks = entry->sequence->body_blocks();
  size_t next = 0;
  for (const int32_t page : entry->body->pages) {
    const auto index = static_cast<size_t>(page);
    SLUICE_CHECK(index >= next && index <= std::max(next, blocks.size()))
        << "sequence " << entry->sequence->id().value << ": a step writes page " << page
        << " of a body of " << blocks.size() << " out of turn";
    next = index + 1;
    if (index >= blocks.size()) {
      ++entry->new_body_blocks;
    } else if (MustCopyIn(plan, blocks[index])) {
      entry->copied_body_blocks.push_back(page);
    }
  }
}

void Cache::GrantBody(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                      StepEntryGrant* entry, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  sequence.step_first_body_block_ = static_cast<int64_t>(sequence.body_blocks_.size());
  for (const int32_t page : plan.copied_body_blocks) {
    BlockId& block = sequence.body_blocks_[static_cast<size_t>(page)];
    const BlockId source = std::exchange(block, AllocateBlock(sequence, spares, grant));
    GiveUpCount(source);
    entry->body_copies.push_back({source, block, sequence.geometry().page_size});
  }
  for (int64_t i = 0; i < plan.new_body_blocks; ++i) {
    sequence.body_blocks_.push_back(AllocateBlock(sequence, spares, grant));
  }
}

// REQUIRES: GrantBody has been called.
void Cache::GrantBodyScores(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  const auto pages = static_cast<int64_t>(sequence.body_blocks_.size());
  if (plan.copies_body_scores) {
    entry->body_scores_source = ReplaceScores(
        &sequence.body_scores_, sequence.body_blocks_.empty() ? 1 : pages, grant);
    return;
  }
  if (plan.new_body_blocks == 0) return;
  if (!sequence.body_scores_) {
    sequence.body_scores_ =
        AddBlock(blocks_[*sequence.scores()].size_class, sequence.tenant(), 0);
  }
  const BlockId scores = *sequence.body_scores_;
  const size_t had = blocks_[scores].pages.size();
  blocks_[scores].pages.resize(static_cast<size_t>(pages));
  TakePages(scores, had, grant);
}

// Others still count it.
void Cache::GiveUpCount(BlockId block) {
  SLUICE_CHECK(blocks_[block].references > 1) << "block " << block.value << " was copied alone";
  --blocks_[block].references;
}

void Cache::UndoBody(Sequence& sequence) {
  const auto first = sequence.body_blocks_.begin() + sequence.step_first_body_block_;
  if (first == sequence.body_blocks_.end()) return;
  reclaim_.DropBlocks({first, sequence.body_blocks_.end()});
  sequence.body_blocks_.erase(first, sequence.body_blocks_.end());
  if (!sequence.body_scores_) return;
  if (sequence.body_blocks_.empty()) {
    reclaim_.DropBlocks({*std::exchange(sequence.body_scores_, std::nullopt)});
  } else {
    DropScorePages(*sequence.body_scores_, sequence.step_first_body_block_,
                   static_cast<int64_t>(blocks_[*sequence.body_scores_].pages.size()));
  }
}

// --- after a step

void Cache::MoveIntoBody(SequenceId sequence, const TailMove& move) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(!target.step_open() && !target.job() && !target.bodies())
      << "sequence " << sequence.value << " cannot move its tail into its body";
  const auto body_blocks = static_cast<int64_t>(target.body_blocks().size());
  SLUICE_CHECK(body_blocks == CeilDivide(move.body_slots, target.geometry().page_size))
      << "sequence " << sequence.value << ": a body of " << move.body_slots << " slots in "
      << body_blocks << " blocks";
  target.body_slots_ = move.body_slots;
  target.tail_first_position_ = move.first_position;
  target.tail_start_ = move.first_position == target.length_ ? 0 : move.tail_start;
  const int64_t held = target.BlocksAt(target.length_);
  const auto count = static_cast<int64_t>(target.blocks_.size());
  const int64_t first = held == 0 ? count : move.first_block;
  SLUICE_CHECK(first + held <= count)
      << "sequence " << sequence.value << " has no " << held << " blocks from " << first << " on";
  if (target.scores()) {
    DropScorePages(*target.scores(), first + held, count);
    DropScorePages(*target.scores(), 0, first);
  }
  reclaim_.DropBlocks(target.TakeBlocksFrom(first + held));
  std::vector<BlockId> moved(target.blocks_.begin(), target.blocks_.begin() + first);
  target.blocks_.erase(target.blocks_.begin(), target.blocks_.begin() + first);
  reclaim_.DropBlocks(std::move(moved));
}

}  // namespace sluice
