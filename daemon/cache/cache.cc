// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/cache.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/cache/cache_audit.h"

namespace sluice {
namespace {

// Positions are stored as int32.
constexpr int64_t kMaxLength = std::numeric_limits<int32_t>::max();

std::string EntryField(size_t index, absl::string_view name) {
  return absl::StrCat("entries[", index, "].", name);
}

absl::Status UnknownSequence(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kNotFound, Reason::kUnknownSequence, field,
                absl::StrCat("there is no sequence ", sequence.value));
}

absl::Status StepIsOpen(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStepOpen, field,
                absl::StrCat("a step is open on sequence ", sequence.value));
}

absl::Status IsLost(SequenceId sequence, absl::string_view field) {
  return Refuse(absl::StatusCode::kAborted, Reason::kSequenceLost, field,
                absl::StrCat("sequence ", sequence.value, " is lost; it can only be freed"));
}

absl::Status NoRoom(const Shortage& shortage) {
  // Of two bounds the one that lacks more decides; a maximum of the whole pool is none.
  if (shortage.quota_bytes > shortage.pool_bytes) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "",
                  absl::StrCat("the tenant's maximum is ", shortage.quota_bytes,
                               " bytes too small"));
  }
  return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                absl::StrCat("the pool is ", shortage.pool_bytes, " bytes short"));
}

}  // namespace

Cache::Cache(const PagePool::Options& options)
    : pool_(options), reclaim_(&pool_, &tenants_, &blocks_, &bodies_) {}

Cache::~Cache() = default;

SizeClassId Cache::AddSizeClass(int64_t pages_per_slab, int64_t page_bytes, int64_t page_size) {
  return pool_.AddSizeClass(pages_per_slab, page_bytes, page_size);
}

absl::StatusOr<SequenceId> Cache::CreateSequence(const CacheGeometry& geometry, TenantId tenant) {
  SLUICE_CHECK(geometry.row_count >= 1) << "row_count " << geometry.row_count;
  SLUICE_CHECK(geometry.page_size == pool_.page_size(geometry.size_class))
      << "page_size " << geometry.page_size;
  SLUICE_RETURN_IF_ERROR(tenants_.AddSequence(tenant));
  const SequenceId id{next_sequence_++};
  sequences_.emplace(id, std::make_unique<Sequence>(id, geometry, tenant));
  return id;
}

absl::StatusOr<SequenceId> Cache::Fork(SequenceId parent) {
  SLUICE_ASSIGN_OR_RETURN(const Sequence* const source, GetClosed(parent));
  if (source->lost()) return IsLost(parent, "");
  SLUICE_RETURN_IF_ERROR(tenants_.AddSequence(source->tenant()));
  const SequenceId id{next_sequence_++};
  auto child = std::make_unique<Sequence>(source->ForkAs(id));
  for (const BlockId block : child->blocks()) ++blocks_[block].references;
  if (child->bodies()) ++bodies_[*child->bodies()].references;
  sequences_.emplace(id, std::move(child));
  return id;
}

absl::Status Cache::Free(SequenceId sequence) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const freed, GetClosed(sequence));
  if (freed->job()) CancelJob(sequence);
  reclaim_.DropBlocks(std::move(freed->blocks_));
  if (freed->bodies()) reclaim_.DropBodies(*freed->bodies());
  tenants_.RemoveSequence(freed->tenant());
  sequences_.erase(sequence);
  return absl::OkStatus();
}

absl::Status Cache::Rollback(SequenceId sequence, int64_t new_length) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, GetClosed(sequence));
  if (target->lost()) return IsLost(sequence, "");
  if (new_length > target->length()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kLengthMismatch, "",
                  absl::StrCat("a rollback to ", new_length, " of a sequence of length ",
                               target->length()));
  }
  if (new_length < target->rollback_floor()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kBelowFloor, "",
                  absl::StrCat("a rollback to ", new_length, " is below the floor ",
                               target->rollback_floor()));
  }
  SLUICE_CHECK(!target->job() || new_length >= target->job()->snapshot_length)
      << "sequence " << sequence.value << ": a rollback to " << new_length
      << " below the snapshot of a running job";
  if (new_length < target->length()) reclaim_.DropBlocks(target->Truncate(new_length));
  return absl::OkStatus();
}

absl::Status Cache::MarkLost(SequenceId sequence) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  target->lost_ = true;
  return absl::OkStatus();
}

// --- steps

absl::StatusOr<StepGrant> Cache::BeginStep(std::span<const StepEntryRequest> entries) {
  ++step_number_;
  StepPlan plan;
  plan.entries.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    SLUICE_ASSIGN_OR_RETURN(Sequence* const sequence, CheckEntry(entries[i], i));
    if (std::exchange(sequence->seen_in_step_, step_number_) == step_number_) {
      return RefuseField(EntryField(i, "sequence"),
                         absl::StrCat("sequence ", entries[i].sequence.value, " is named twice"));
    }
    AddEntry(PlanEntry(*sequence, entries[i].token_count, plan), &plan);
  }
  if (const Shortage shortage = plan.demand.MissingIn(pool_, tenants_); shortage.any()) {
    return NoRoom(shortage);
  }
  StepGrant grant;
  grant.entries.reserve(plan.entries.size());
  for (const EntryPlan& entry : plan.entries) grant.entries.push_back(Grant(entry, &grant));
  return grant;
}

absl::StatusOr<Sequence*> Cache::CheckEntry(const StepEntryRequest& entry, size_t index) const {
  const auto it = sequences_.find(entry.sequence);
  if (it == sequences_.end()) {
    return UnknownSequence(entry.sequence, EntryField(index, "sequence"));
  }
  Sequence* const sequence = it->second.get();
  if (sequence->lost()) return IsLost(entry.sequence, EntryField(index, "sequence"));
  if (sequence->step_open()) return StepIsOpen(entry.sequence, EntryField(index, "sequence"));
  if (entry.base_length != sequence->length()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kLengthMismatch,
                  EntryField(index, "base_length"),
                  absl::StrCat("is ", entry.base_length, ", the sequence's length is ",
                               sequence->length()));
  }
  if (entry.token_count < 1 || entry.token_count > kMaxLength - entry.base_length) {
    return RefuseField(EntryField(index, "token_count"),
                       absl::StrCat("must be in [1, ", kMaxLength - entry.base_length, "], got ",
                                    entry.token_count));
  }
  return sequence;
}

Cache::EntryPlan Cache::PlanEntry(Sequence& sequence, int32_t token_count,
                                  const StepPlan& plan) const {
  EntryPlan entry{.sequence = &sequence,
                  .token_count = token_count,
                  .new_blocks = sequence.NewBlocksFor(token_count)};
  if (sequence.open_block_slots() == 0) return entry;
  const auto given_up = plan.given_up.find(sequence.blocks().back());
  entry.copies_open_block =
      MustCopy(sequence, given_up == plan.given_up.end() ? 0 : given_up->second);
  entry.job_reads_source = sequence.job() && !sequence.OpenBlockIsFrom(
                                                 sequence.job()->snapshot_length);
  return entry;
}

void Cache::AddEntry(const EntryPlan& entry, StepPlan* plan) const {
  const CacheGeometry& geometry = entry.sequence->geometry();
  plan->demand.Add(geometry.size_class, entry.sequence->tenant(), entry.pages());
  if (entry.copies_open_block && !entry.job_reads_source) {
    ++plan->given_up[entry.sequence->blocks().back()];
  }
  plan->entries.push_back(entry);
}

// `given_up`: counts on the open block that earlier entries of the step give up.
bool Cache::MustCopy(const Sequence& sequence, int32_t given_up) const {
  const Block& block = blocks_[sequence.blocks().back()];
  if (block.references - given_up > 1) return true;
  if (!block.has_body_pages) return false;
  return std::any_of(block.pages.begin(), block.pages.end(),
                     [&](PageId page) { return pool_.reference_count(page) > 1; });
}

StepEntryGrant Cache::Grant(const EntryPlan& plan, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  StepEntryGrant entry{.sequence = sequence.id(),
                       .base_length = sequence.length(),
                       .token_count = plan.token_count,
                       .new_block_count = static_cast<int32_t>(plan.new_blocks),
                       .copy = std::nullopt};
  if (plan.copies_open_block) entry.copy = ReplaceOpenBlock(plan, grant);
  sequence.step_token_count_ = plan.token_count;
  sequence.step_first_block_ = static_cast<int64_t>(sequence.blocks_.size());
  for (int64_t i = 0; i < plan.new_blocks; ++i) {
    sequence.blocks_.push_back(AllocateBlock(sequence, grant));
  }
  return entry;
}

BlockId Cache::AllocateBlock(const Sequence& sequence, StepGrant* grant) {
  const CacheGeometry& geometry = sequence.geometry();
  const BlockId id = blocks_.Add();
  Block& block = blocks_[id];
  block.pages.resize(static_cast<size_t>(geometry.row_count));
  block.references = 1;
  block.size_class = geometry.size_class;
  block.tenant = sequence.tenant();
  block.has_body_pages = false;
  SLUICE_CHECK(pool_.Allocate(geometry.size_class, sequence.tenant(), Purpose::kAppend,
                              block.pages, &grant->slabs_to_clear));
  tenants_.ChargeBytes(sequence.tenant(), BlockBytes(geometry));
  grant->new_blocks.push_back(id);
  return id;
}

BlockCopy Cache::ReplaceOpenBlock(const EntryPlan& plan, StepGrant* grant) {
  Sequence& sequence = *plan.sequence;
  const BlockId source = sequence.blocks_.back();
  const BlockId destination = AllocateBlock(sequence, grant);
  sequence.blocks_.back() = destination;
  if (plan.job_reads_source) {
    sequence.job_->held_blocks.push_back(source);
  } else if (blocks_[source].references > 1) {
    --blocks_[source].references;
  } else {
    reclaim_.DropBlocks({source});  // bodies hold some of its pages
  }
  return {source, destination, sequence.open_block_slots()};
}

int64_t Cache::MissingBytes(std::span<const StepEntryRequest> entries) const {
  StepPlan plan;
  for (const StepEntryRequest& entry : entries) {
    const auto it = sequences_.find(entry.sequence);
    if (it == sequences_.end()) continue;
    AddEntry(PlanEntry(*it->second, entry.token_count, plan), &plan);
  }
  const Shortage shortage = plan.demand.MissingIn(pool_, tenants_);
  return std::max(shortage.pool_bytes, shortage.quota_bytes);
}

std::vector<size_t> Cache::EntriesWithRoom(std::span<const StepEntryRequest> entries) const {
  std::vector<size_t> with_room;
  StepPlan plan;
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto it = sequences_.find(entries[i].sequence);
    if (it == sequences_.end()) continue;
    const EntryPlan entry = PlanEntry(*it->second, entries[i].token_count, plan);
    const CacheGeometry& geometry = entry.sequence->geometry();
    StepDemand demand = plan.demand;
    demand.Add(geometry.size_class, entry.sequence->tenant(), entry.pages());
    if (demand.MissingIn(pool_, tenants_).any()) continue;
    AddEntry(entry, &plan);
    with_room.push_back(i);
  }
  return with_room;
}

void Cache::CloseStep(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.step_open()) << "sequence " << sequence.value;
  target.length_ += std::exchange(target.step_token_count_, 0);
}

void Cache::UndoStep(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.step_open()) << "sequence " << sequence.value;
  target.step_token_count_ = 0;
  reclaim_.DropBlocks(target.TakeBlocksFrom(target.step_first_block_));
}

// --- jobs

absl::StatusOr<std::vector<int64_t>> Cache::PlanJob(SequenceId sequence, int64_t snapshot_length) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  if (target->lost()) return IsLost(sequence, "");
  SLUICE_CHECK(!target->job()) << "sequence " << sequence.value << " has a job";
  SLUICE_CHECK(snapshot_length >= target->tail_first_position() &&
               snapshot_length <= target->length())
      << "a snapshot of " << snapshot_length << " of sequence " << sequence.value;
  target->job_ = SequenceJob{.snapshot_length = snapshot_length,
                             .fresh_pages = {},
                             .held_blocks = {}};
  return SlotsBelow(*target, snapshot_length);
}

absl::StatusOr<JobPages> Cache::AllocateJobPages(SequenceId sequence, int64_t page_count) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  SLUICE_CHECK(target->job().has_value()) << "sequence " << sequence.value << " has no job";
  SLUICE_CHECK(page_count >= 0) << "page_count " << page_count;
  const PageDemand demand{target->geometry().size_class, target->tenant(), page_count};
  const int64_t missing_bytes = pool_.MissingBytes({&demand, 1}, Purpose::kJob);
  if (missing_bytes > 0) return NoRoom({.pool_bytes = missing_bytes, .quota_bytes = 0});
  JobPages granted;
  granted.pages.resize(static_cast<size_t>(page_count));
  SLUICE_CHECK(pool_.Allocate(demand.size_class, demand.tenant, Purpose::kJob, granted.pages,
                              &granted.slabs_to_clear));
  std::vector<PageId>& fresh = target->job_->fresh_pages;
  fresh.insert(fresh.end(), granted.pages.begin(), granted.pages.end());
  return granted;
}

int64_t Cache::AvailableJobPages(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  return pool_.AvailablePages(target.geometry().size_class, target.tenant(), Purpose::kJob);
}

void Cache::CommitJob(SequenceId sequence, JobResult result) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.job().has_value()) << "sequence " << sequence.value << " has no job";
  SLUICE_CHECK(!target.step_open()) << "a commit inside a step of sequence " << sequence.value;
  std::optional<BodiesId> bodies = AddBodies(target, std::move(result));
  std::swap(target.bodies_, bodies);
  if (bodies) reclaim_.DropBodies(*bodies);
  reclaim_.DropBlocks(target.CutFront(target.job()->snapshot_length));
  EndJob(target);
}

void Cache::CancelJob(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.job().has_value()) << "sequence " << sequence.value << " has no job";
  EndJob(target);
}

std::optional<BodiesId> Cache::AddBodies(const Sequence& sequence, JobResult result) {
  SLUICE_CHECK(static_cast<int64_t>(result.rows.size()) == sequence.geometry().row_count)
      << "sequence " << sequence.id().value << ": a result of " << result.rows.size() << " rows";
  int64_t pages = 0;
  for (const RowExtent& row : result.rows) {
    SLUICE_CHECK(row.first_page == pages && row.slots >= 0) << "a body that is not dense";
    pages += CeilDivide(row.slots, sequence.geometry().page_size);
  }
  SLUICE_CHECK(static_cast<int64_t>(result.pages.size()) == pages) << "a body that is not dense";
  if (pages == 0) return std::nullopt;
  int64_t fresh_bytes = 0;
  for (const PageId page : result.pages) {
    if (pool_.is_reserved(page)) fresh_bytes += pool_.bytes_of(page);
    pool_.AddReference(page);
  }
  tenants_.ChargeBytes(sequence.tenant(), fresh_bytes);
  const BodiesId id = bodies_.Add();
  bodies_[id] = {.rows = std::move(result.rows),
                 .pages = std::move(result.pages),
                 .references = 1,
                 .size_class = sequence.geometry().size_class,
                 .tenant = sequence.tenant()};
  return id;
}

// Gives up what the job still holds. Pages that a commit took are in use by now.
void Cache::EndJob(Sequence& sequence) {
  SequenceJob job = std::move(*sequence.job_);
  sequence.job_.reset();
  std::erase_if(job.fresh_pages, [&](PageId page) { return !pool_.is_reserved(page); });
  reclaim_.DropReservedPages(std::move(job.fresh_pages));
  reclaim_.DropBlocks(std::move(job.held_blocks));
}

// --- giving back

Reclaimed Cache::ReclaimSlice(int64_t max_pages, const LaneTickets& newest) {
  return reclaim_.Slice(max_pages, newest);
}

bool Cache::Passed(const LaneTickets& completed, int64_t max_pages) {
  return pool_.Passed(completed, max_pages);
}

// --- reading

const Sequence* Cache::Find(SequenceId sequence) const {
  const auto it = sequences_.find(sequence);
  return it == sequences_.end() ? nullptr : it->second.get();
}

std::span<const PageId> Cache::BlockPages(BlockId block) const { return blocks_[block].pages; }

bool Cache::MayShareBlock(BlockId block) const {
  return blocks_[block].references > 1 || blocks_[block].has_body_pages;
}

const Bodies& Cache::BodiesOf(BodiesId bodies) const { return bodies_[bodies]; }

std::vector<int64_t> Cache::KeptSlots(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  return SlotsBelow(target, target.length());
}

std::vector<int64_t> Cache::SlotsBelow(const Sequence& sequence, int64_t length) const {
  const int64_t tail_slots = length - sequence.tail_first_position();
  std::vector<int64_t> slots(static_cast<size_t>(sequence.geometry().row_count), tail_slots);
  if (!sequence.bodies()) return slots;
  const Bodies& bodies = bodies_[*sequence.bodies()];
  for (size_t row = 0; row < slots.size(); ++row) slots[row] += bodies.rows[row].slots;
  return slots;
}

int64_t Cache::HeldBytes(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  const auto block_count = static_cast<int64_t>(target.blocks().size());
  int64_t bytes = block_count * BlockBytes(target.geometry());
  if (target.bodies()) {
    bytes += static_cast<int64_t>(bodies_[*target.bodies()].pages.size()) *
             pool_.page_bytes(target.geometry().size_class);
  }
  return bytes;
}

int64_t Cache::BytesAlone(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  int64_t pages = 0;
  // No page is in both the tail and the body of one sequence.
  const auto count_alone = [&](int32_t references, const std::vector<PageId>& list) {
    if (references > 1) return;
    pages += std::count_if(list.begin(), list.end(),
                           [&](PageId page) { return pool_.reference_count(page) == 1; });
  };
  for (const BlockId id : target.blocks()) count_alone(blocks_[id].references, blocks_[id].pages);
  if (target.bodies()) {
    const Bodies& bodies = bodies_[*target.bodies()];
    count_alone(bodies.references, bodies.pages);
  }
  return pages * pool_.page_bytes(target.geometry().size_class);
}

bool Cache::MayShare(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  const auto is_shared = [&](BlockId id) {
    return blocks_[id].references > 1 || blocks_[id].has_body_pages;
  };
  if (std::any_of(target.blocks().begin(), target.blocks().end(), is_shared)) return true;
  if (!target.bodies()) return false;
  const Bodies& bodies = bodies_[*target.bodies()];
  return bodies.references > 1 ||
         std::any_of(bodies.pages.begin(), bodies.pages.end(),
                     [&](PageId page) { return pool_.reference_count(page) > 1; });
}

int64_t Cache::BlockBytes(const CacheGeometry& geometry) const {
  return geometry.row_count * pool_.page_bytes(geometry.size_class);
}

int64_t Cache::AvailableBytes(TenantId tenant) const {
  const int64_t within_maximum =
      tenants_.limits(tenant).max_bytes - tenants_.usage(tenant).bytes;
  return std::clamp<int64_t>(within_maximum, 0, pool_.AvailableBytes(tenant));
}

absl::StatusOr<Sequence*> Cache::Get(SequenceId sequence) const {
  const auto it = sequences_.find(sequence);
  if (it == sequences_.end()) return UnknownSequence(sequence, "");
  return it->second.get();
}

absl::StatusOr<Sequence*> Cache::GetClosed(SequenceId sequence) const {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const found, Get(sequence));
  if (found->step_open()) return StepIsOpen(sequence, "");
  return found;
}

Sequence& Cache::MustGet(SequenceId sequence) const {
  const auto it = sequences_.find(sequence);
  SLUICE_CHECK(it != sequences_.end()) << "sequence " << sequence.value;
  return *it->second;
}

std::string Cache::CheckInvariants() const {
  CacheAudit audit(pool_, tenants_, blocks_, bodies_);
  for (const auto& [id, sequence] : sequences_) audit.AddSequence(*sequence);
  audit.AddQueued(reclaim_.ListQueued());
  return audit.Finish();
}

}  // namespace sluice
