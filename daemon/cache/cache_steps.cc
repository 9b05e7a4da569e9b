// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How steps take their blocks: planned as a whole, so that a refusal changes nothing.

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/cache_refusals.h"

namespace sluice {
namespace {

// Positions are stored as int32.
constexpr int64_t kMaxLength = std::numeric_limits<int32_t>::max();

std::string EntryField(size_t index, absl::string_view name) {
  return absl::StrCat("entries[", index, "].", name);
}

}  // namespace

absl::StatusOr<StepGrant> Cache::BeginStep(std::span<const StepEntryRequest> entries,
                                           DroppedPages dropped) {
  ++step_number_;
  std::vector<EntryPlan> wanted;
  wanted.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    SLUICE_ASSIGN_OR_RETURN(Sequence* const sequence, CheckEntry(entries[i], i));
    if (std::exchange(sequence->seen_in_step_, step_number_) == step_number_) {
      return RefuseField(EntryField(i, "sequence"),
                         absl::StrCat("sequence ", entries[i].sequence.value, " is named twice"));
    }
    wanted.push_back(Want(entries[i], *sequence));
  }
  StepPlan plan = Plan(std::move(wanted), dropped);
  if (const Shortage shortage = plan.demand.MissingIn(pool_, tenants_); shortage.any()) {
    return RefuseShort(shortage);
  }
  for (const EntryPlan& entry : plan.entries) RollBack(entry);
  StepGrant grant;
  grant.entries.reserve(plan.entries.size());
  for (const EntryPlan& entry : plan.entries) {
    grant.entries.push_back(Grant(entry, &plan.spares, &grant));
  }
  for (SpareBlocks& spare : plan.spares) GiveUp(std::move(spare));
  return grant;
}

absl::StatusOr<Sequence*> Cache::CheckEntry(const StepEntryRequest& entry, size_t index) const {
  const auto it = sequences_.find(entry.sequence);
  if (it == sequences_.end()) return RefuseUnknown(entry.sequence, EntryField(index, "sequence"));
  Sequence* const sequence = it->second.get();
  if (sequence->lost()) return RefuseLost(entry.sequence, EntryField(index, "sequence"));
  if (sequence->step_open()) return RefuseOpen(entry.sequence, EntryField(index, "sequence"));
  if (entry.base_length > sequence->length()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kLengthMismatch,
                  EntryField(index, "base_length"),
                  absl::StrCat("is ", entry.base_length, ", the sequence's length is ",
                               sequence->length()));
  }
  if (entry.base_length < sequence->rollback_floor()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kBelowFloor,
                  EntryField(index, "base_length"),
                  absl::StrCat("is ", entry.base_length, ", the sequence's floor is ",
                               sequence->rollback_floor()));
  }
  if (entry.token_count < 1 || entry.token_count > kMaxLength - entry.base_length) {
    return RefuseField(EntryField(index, "token_count"),
                       absl::StrCat("must be in [1, ", kMaxLength - entry.base_length, "], got ",
                                    entry.token_count));
  }
  return sequence;
}

// --- planning

Cache::EntryPlan Cache::Want(const StepEntryRequest& entry, Sequence& sequence) const {
  if (entry.observations.count > 0 && sequence.observations()) {
    const Block& rows = blocks_[*sequence.observations()];
    const ObservationPages had{rows.size_class, static_cast<int32_t>(rows.pages.size())};
    SLUICE_CHECK(had == entry.observations)
        << "sequence " << sequence.id().value << " has observation rows of another kind";
  }
  SLUICE_CHECK(!sequence.scores() || entry.base_length == sequence.length())
      << "sequence " << sequence.id().value << ": a rollback of scores";
  SLUICE_CHECK(entry.body == nullptr || entry.base_length == sequence.length())
      << "sequence " << sequence.id().value << ": a rollback of a body written in place";
  return {.sequence = &sequence,
          .base_length = entry.base_length,
          .token_count = entry.token_count,
          .kept_blocks = sequence.BlocksAt(entry.base_length),
          .new_blocks = entry.body != nullptr
                            ? entry.body->new_tail_blocks
                            : sequence.NewBlocksAt(entry.base_length, entry.token_count),
          .observations = entry.observations,
          .body = entry.body,
          .copied_body_blocks = {}};
}

std::vector<Cache::EntryPlan> Cache::WantAll(std::span<const StepEntryRequest> entries) const {
  std::vector<EntryPlan> wanted;
  wanted.reserve(entries.size());
  for (const StepEntryRequest& entry : entries) {
    const auto it = sequences_.find(entry.sequence);
    if (it != sequences_.end()) wanted.push_back(Want(entry, *it->second));
  }
  return wanted;
}

// All drops come first: what one entry drops another need not copy.
Cache::StepPlan Cache::Plan(std::vector<EntryPlan> wanted, DroppedPages dropped) const {
  StepPlan plan;
  for (const EntryPlan& entry : wanted) AddDrops(entry, &plan);
  for (EntryPlan& entry : wanted) {
    PlanShared(plan, &entry);
    AddEntry(entry, &plan);
  }
  plan.entries = std::move(wanted);
  if (dropped == DroppedPages::kReuse) {
    TakeSpare(&plan);
  } else {
    for (SpareBlocks& spare : plan.spares) spare.usable = false;
  }
  return plan;
}

void Cache::AddDrops(const EntryPlan& entry, StepPlan* plan) const {
  const std::vector<BlockId>& blocks = entry.sequence->blocks();
  const auto first = static_cast<size_t>(entry.kept_blocks);
  if (first == blocks.size()) return;
  const SizeClassId size_class = entry.sequence->geometry().size_class;
  const TenantId tenant = entry.sequence->tenant();
  auto spare = std::find_if(plan->spares.begin(), plan->spares.end(), [&](const SpareBlocks& s) {
    return s.size_class == size_class && s.tenant == tenant;
  });
  if (spare == plan->spares.end()) {
    spare = plan->spares.insert(
        spare, {.size_class = size_class, .tenant = tenant, .blocks = {}});
  }
  for (size_t i = first; i < blocks.size(); ++i) {
    const int32_t references = blocks_[blocks[i]].references;
    // The last of its holders leaves it to the step.
    if (references > 1 && ++plan->given_up[blocks[i]].dropped < references) continue;
    spare->blocks.push_back(blocks[i]);
  }
}

// What of others' it must have for itself.
void Cache::PlanShared(const StepPlan& plan, EntryPlan* entry) const {
  PlanCopy(plan, entry);
  PlanObservations(plan, entry);
  PlanBody(plan, entry);
  PlanScores(plan, entry);
}

void Cache::PlanCopy(const StepPlan& plan, EntryPlan* entry) const {
  const Sequence& sequence = *entry->sequence;
  if (sequence.OpenBlockSlotsAt(entry->base_length) == 0) return;
  const BlockId open = entry->open_block();
  entry->copies_open_block = MustCopyIn(plan, open);
  entry->job_reads_source =
      sequence.job() &&
      !sequence.BlockIsFrom(entry->kept_blocks - 1, sequence.job()->read_length);
}

// Rows that nobody else has are written where they are.
void Cache::PlanObservations(const StepPlan& plan, EntryPlan* entry) const {
  const std::optional<BlockId> rows = entry->sequence->observations();
  if (rows && !MustCopyIn(plan, *rows)) entry->observations = {};
}

void Cache::AddEntry(const EntryPlan& entry, StepPlan* plan) const {
  AddDemand(entry, &plan->demand);
  if (entry.copies_open_block && !entry.job_reads_source) {
    ++plan->given_up[entry.open_block()].copied;
  }
  if (entry.observations.count > 0 && entry.sequence->observations()) {
    ++plan->given_up[*entry.sequence->observations()].copied;
  }
  for (const int32_t page : entry.copied_body_blocks) {
    ++plan->given_up[entry.sequence->body_blocks()[static_cast<size_t>(page)]].copied;
  }
  AddScoreCopies(entry, plan);
}

void Cache::AddDemand(const EntryPlan& entry, StepDemand* demand) const {
  const Sequence& sequence = *entry.sequence;
  demand->Add(sequence.geometry().size_class, sequence.tenant(), entry.pages());
  if (entry.observations.count > 0) {
    demand->Add(entry.observations.size_class, sequence.tenant(), entry.observations.count);
  }
  AddScoreDemand(entry, demand);
}

// Takes as much of what is dropped as the step needs, so that a long rollback costs
// no more than that.
void Cache::TakeSpare(StepPlan* plan) const {
  for (SpareBlocks& spare : plan->spares) {
    int64_t pages = plan->demand.pages(spare.size_class, spare.tenant);
    for (; pages > 0 && spare.planned < spare.blocks.size(); ++spare.planned) {
      const std::vector<PageId>& of_block = blocks_[spare.blocks[spare.planned]].pages;
      const auto alone = std::count_if(of_block.begin(), of_block.end(), [&](PageId page) {
        return pool_.reference_count(page) == 1;
      });
      plan->demand.Add(spare.size_class, spare.tenant, -alone);
      pages -= alone;
    }
  }
}

bool Cache::MustCopyIn(const StepPlan& plan, BlockId block) const {
  const auto given_up = plan.given_up.find(block);
  return MustCopy(block, given_up == plan.given_up.end() ? 0 : given_up->second.total());
}

// `given_up`: counts on the block that the step's entries give up.
bool Cache::MustCopy(BlockId id, int32_t given_up) const {
  const Block& block = blocks_[id];
  if (block.references - given_up > 1) return true;
  if (!block.may_share_pages) return false;
  return std::any_of(block.pages.begin(), block.pages.end(),
                     [&](PageId page) { return pool_.reference_count(page) > 1; });
}

int64_t Cache::MissingBytes(std::span<const StepEntryRequest> entries,
                            DroppedPages dropped) const {
  const Shortage shortage = Plan(WantAll(entries), dropped).demand.MissingIn(pool_, tenants_);
  return std::max(shortage.pool_bytes, shortage.quota_bytes);
}

bool Cache::NeedsPages(std::span<const StepEntryRequest> entries, DroppedPages dropped) const {
  return Plan(WantAll(entries), dropped).demand.any();
}

std::vector<size_t> Cache::EntriesWithRoom(std::span<const StepEntryRequest> entries,
                                           DroppedPages dropped) const {
  std::vector<size_t> with_room;
  StepPlan plan;
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto it = sequences_.find(entries[i].sequence);
    if (it == sequences_.end()) continue;
    if (TryAdd(Want(entries[i], *it->second), dropped, &plan)) with_room.push_back(i);
  }
  return with_room;
}

// False, with the plan as it was, if there is no room for the entry too.
bool Cache::TryAdd(EntryPlan entry, DroppedPages dropped, StepPlan* plan) const {
  if (plan->spares.empty() && !entry.drops()) {
    PlanShared(*plan, &entry);
    StepDemand demand = plan->demand;
    AddDemand(entry, &demand);
    if (demand.MissingIn(pool_, tenants_).any()) return false;
    AddEntry(entry, plan);
    return true;
  }
  StepPlan with = *plan;
  AddDrops(entry, &with);
  PlanShared(with, &entry);
  AddEntry(entry, &with);
  if (dropped == DroppedPages::kReuse) TakeSpare(&with);
  if (with.demand.MissingIn(pool_, tenants_).any()) return false;
  *plan = std::move(with);
  return true;
}

// --- granting

// Shared counts are dropped at once; what nobody else holds is the plan's spare.
void Cache::RollBack(const EntryPlan& plan) {
  Sequence& sequence = *plan.sequence;
  if (plan.base_length == sequence.length()) return;
  SLUICE_CHECK(!sequence.job() || plan.base_length >= sequence.job()->read_length)
      << "sequence " << sequence.id().value << ": a rollback to " << plan.base_length
      << " below what a running job reads";
  for (const BlockId id : sequence.Truncate(plan.base_length)) {
    int32_t& references = blocks_[id].references;
    if (references > 1) --references;
  }
}

StepEntryGrant Cache::Grant(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                            StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  StepEntryGrant entry{.sequence = sequence.id(),
                       .base_length = sequence.length(),
                       .token_count = plan.token_count,
                       .new_block_count = static_cast<int32_t>(plan.new_blocks),
                       .copy = std::nullopt,
                       .new_observations = std::nullopt,
                       .observations_source = std::nullopt,
                       .body_copies = {},
                       .scores_source = std::nullopt,
                       .body_scores_source = std::nullopt};
  if (plan.copies_open_block) entry.copy = ReplaceOpenBlock(plan, spares, grant);
  if (plan.observations.count > 0) GrantObservations(plan, &entry, grant);
  GrantBody(plan, spares, &entry, grant);
  if (sequence.scores()) GrantScores(plan, &entry, grant);
  sequence.step_token_count_ = plan.token_count;
  sequence.step_first_block_ = static_cast<int64_t>(sequence.blocks_.size());
  for (int64_t i = 0; i < plan.new_blocks; ++i) {
    sequence.blocks_.push_back(AllocateBlock(sequence, spares, grant));
  }
  return entry;
}

BlockId Cache::AllocateBlock(const Sequence& sequence, std::vector<SpareBlocks>* spares,
                             StepGrant* grant) {
  const CacheGeometry& geometry = sequence.geometry();
  const BlockId id = AddBlock(geometry.size_class, sequence.tenant(), geometry.row_count);
  TakePages(id, ReuseSpare(spares, blocks_[id]), grant);
  grant->new_blocks.push_back(id);
  return id;
}

BlockId Cache::AddBlock(SizeClassId size_class, TenantId tenant, int64_t page_count) {
  const BlockId id = blocks_.Add();
  Block& block = blocks_[id];
  block.pages.resize(static_cast<size_t>(page_count));
  block.references = 1;
  block.size_class = size_class;
  block.tenant = tenant;
  block.may_share_pages = false;
  return id;
}

// Fills the block's pages from `first` on.
void Cache::TakePages(BlockId id, size_t first, StepGrant* grant) {
  Block& block = blocks_[id];
  const auto fresh = std::span(block.pages).subspan(first);
  SLUICE_CHECK(pool_.Allocate(block.size_class, block.tenant, Purpose::kAppend, fresh,
                              &grant->slabs_to_clear));
  tenants_.ChargeBytes(block.tenant, static_cast<int64_t>(fresh.size()) *
                                         pool_.page_bytes(block.size_class));
}

void Cache::GrantObservations(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  const BlockId id =
      AddBlock(plan.observations.size_class, sequence.tenant(), plan.observations.count);
  TakePages(id, 0, grant);
  entry->new_observations = id;
  entry->observations_source = std::exchange(sequence.observations_, id);
  if (entry->observations_source) --blocks_[*entry->observations_source].references;
}

// Moves pages that only dropped blocks hold to the front of the new block's.
// Returns how many.
size_t Cache::ReuseSpare(std::vector<SpareBlocks>* spares, Block& block) {
  size_t moved = 0;
  for (SpareBlocks& spare : *spares) {
    if (!spare.usable || spare.size_class != block.size_class || spare.tenant != block.tenant) {
      continue;
    }
    while (moved < block.pages.size() && spare.next < spare.blocks.size()) {
      std::vector<PageId>& pages = blocks_[spare.blocks[spare.next]].pages;
      const auto alone = std::find_if(pages.begin(), pages.end(), [&](PageId page) {
        return pool_.reference_count(page) == 1;
      });
      if (alone == pages.end()) {
        ++spare.next;
        continue;
      }
      block.pages[moved++] = *alone;
      *alone = pages.back();
      pages.pop_back();
    }
  }
  return moved;
}

// Those that gave pages are queued one by one: they are not alike any more.
void Cache::GiveUp(SpareBlocks spare) {
  const size_t touched = std::min(spare.next + 1, spare.blocks.size());
  for (size_t i = 0; i < touched; ++i) reclaim_.DropBlocks({spare.blocks[i]});
  reclaim_.DropBlocks({spare.blocks.begin() + static_cast<std::ptrdiff_t>(touched),
                       spare.blocks.end()});
}

BlockCopy Cache::ReplaceOpenBlock(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                                  StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  const BlockId source = sequence.blocks_.back();
  const BlockId destination = AllocateBlock(sequence, spares, grant);
  sequence.blocks_.back() = destination;
  if (plan.job_reads_source) {
    sequence.job_->held_blocks.push_back(source);
  } else {
    DropCount(source);  // the last one, if only bodies hold some of its pages too
  }
  return {source, destination, sequence.OpenBlockSlotsAt(sequence.length())};
}

// --- ending

void Cache::CloseStep(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.step_open()) << "sequence " << sequence.value;
  target.length_ += std::exchange(target.step_token_count_, 0);
}

void Cache::UndoStep(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.step_open()) << "sequence " << sequence.value;
  target.step_token_count_ = 0;
  if (target.scores()) UndoScores(target);
  UndoBody(target);
  reclaim_.DropBlocks(target.TakeBlocksFrom(target.step_first_block_));
}

}  // namespace sluice
