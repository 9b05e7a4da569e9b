// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/cache/cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/checked_math.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/cache/cache_audit.h"
#include "daemon/cache/cache_refusals.h"

namespace sluice {
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
  if (source->lost()) return RefuseLost(parent, "");
  SLUICE_RETURN_IF_ERROR(tenants_.AddSequence(source->tenant()));
  const SequenceId id{next_sequence_++};
  auto child = std::make_unique<Sequence>(source->ForkAs(id));
  for (const BlockId block : child->blocks()) ++blocks_[block].references;
  for (const BlockId block : child->body_blocks()) ++blocks_[block].references;
  if (child->bodies()) ++bodies_[*child->bodies()].references;
  for (const auto& held : {child->observations(), child->scores(), child->body_scores()}) {
    if (held) ++blocks_[*held].references;
  }
  sequences_.emplace(id, std::move(child));
  return id;
}

absl::Status Cache::Free(SequenceId sequence) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const freed, GetClosed(sequence));
  if (freed->job()) CancelJob(sequence);
  DropScores(sequence);
  reclaim_.DropBlocks(std::move(freed->blocks_));
  reclaim_.DropBlocks(std::move(freed->body_blocks_));
  if (freed->bodies()) reclaim_.DropBodies(*freed->bodies());
  DropObservations(sequence);
  tenants_.RemoveSequence(freed->tenant());
  sequences_.erase(sequence);
  return absl::OkStatus();
}

absl::Status Cache::Rollback(SequenceId sequence, int64_t new_length) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, GetClosed(sequence));
  if (target->lost()) return RefuseLost(sequence, "");
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
  SLUICE_CHECK(!target->job() || new_length >= target->job()->read_length)
      << "sequence " << sequence.value << ": a rollback to " << new_length
      << " below what a running job reads";
  SLUICE_CHECK(!target->scores() || new_length == target->length())
      << "sequence " << sequence.value << ": a rollback of scores";
  if (new_length < target->length()) reclaim_.DropBlocks(target->Truncate(new_length));
  return absl::OkStatus();
}

void Cache::DropObservations(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(!target.step_open()) << "sequence " << sequence.value;
  if (const auto dropped = std::exchange(target.observations_, std::nullopt)) {
    reclaim_.DropBlocks({*dropped});
  }
}

absl::Status Cache::MarkLost(SequenceId sequence) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  target->lost_ = true;
  return absl::OkStatus();
}

// --- jobs

absl::StatusOr<std::vector<int64_t>> Cache::PlanJob(SequenceId sequence, int64_t snapshot_length,
                                                    std::optional<int64_t> read_length) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  if (target->lost()) return RefuseLost(sequence, "");
  SLUICE_CHECK(!target->job()) << "sequence " << sequence.value << " has a job";
  const int64_t reads = read_length.value_or(snapshot_length);
  SLUICE_CHECK(snapshot_length >= target->tail_first_position() && reads >= snapshot_length &&
               reads <= target->length())
      << "a snapshot of " << snapshot_length << " of sequence " << sequence.value
      << ", read to " << reads;
  target->job_ = SequenceJob{.snapshot_length = snapshot_length,
                             .read_length = reads,
                             .fresh_pages = {},
                             .fresh_scores = std::nullopt,
                             .scores_class = {},
                             .held_blocks = {}};
  return SlotsBelow(*target, snapshot_length);
}

void Cache::EndJobReads(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.job().has_value()) << "sequence " << sequence.value << " has no job";
  target.job_->read_length = target.job_->snapshot_length;
}

absl::StatusOr<JobPages> Cache::AllocateJobPages(SequenceId sequence, int64_t page_count,
                                                 std::optional<SizeClassId> body_scores) {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const target, Get(sequence));
  SLUICE_CHECK(target->job().has_value()) << "sequence " << sequence.value << " has no job";
  SLUICE_CHECK(page_count >= 0) << "page_count " << page_count;
  const SizeClassId size_class = target->geometry().size_class;
  const TenantId tenant = target->tenant();
  const int64_t missing_bytes = MissingForJob(*target, page_count, body_scores);
  if (missing_bytes > 0) return RefuseShort({.pool_bytes = missing_bytes, .quota_bytes = 0});
  JobPages granted;
  granted.pages.resize(static_cast<size_t>(page_count));
  SLUICE_CHECK(pool_.Allocate(size_class, tenant, Purpose::kJob, granted.pages,
                              &granted.slabs_to_clear));
  SequenceJob& job = *target->job_;
  job.fresh_pages.insert(job.fresh_pages.end(), granted.pages.begin(), granted.pages.end());
  if (!body_scores) return granted;
  SLUICE_CHECK(!job.fresh_scores) << "sequence " << sequence.value << " has a page for scores";
  PageId page;
  SLUICE_CHECK(pool_.Allocate(*body_scores, tenant, Purpose::kJob, {&page, 1},
                              &granted.slabs_to_clear));
  granted.body_scores = job.fresh_scores = page;
  job.scores_class = *body_scores;
  return granted;
}

int64_t Cache::MissingForJob(const Sequence& sequence, int64_t page_count,
                             std::optional<SizeClassId> body_scores) const {
  const PageDemand demands[] = {
      {sequence.geometry().size_class, sequence.tenant(), page_count},
      {body_scores.value_or(SizeClassId{}), sequence.tenant(), 1}};
  return pool_.MissingBytes(std::span(demands).first(body_scores ? 2 : 1), Purpose::kJob);
}

int64_t Cache::AvailableJobPages(SequenceId sequence,
                                 std::optional<SizeClassId> body_scores) const {
  const Sequence& target = MustGet(sequence);
  const int64_t pages =
      pool_.AvailablePages(target.geometry().size_class, target.tenant(), Purpose::kJob);
  if (!body_scores || MissingForJob(target, pages, body_scores) == 0) return pages;
  int64_t fits = -1;
  int64_t too_many = pages;
  while (too_many - fits > 1) {
    const int64_t middle = (fits + too_many) / 2;
    (MissingForJob(target, middle, body_scores) == 0 ? fits : too_many) = middle;
  }
  return fits;
}

void Cache::CommitJob(SequenceId sequence, JobResult result) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.job().has_value()) << "sequence " << sequence.value << " has no job";
  SLUICE_CHECK(!target.step_open()) << "a commit inside a step of sequence " << sequence.value;
  std::optional<BodiesId> bodies = AddBodies(target, std::move(result));
  std::swap(target.bodies_, bodies);
  if (bodies) reclaim_.DropBodies(*bodies);
  std::vector<BlockId> cut = target.CutFront(target.job()->snapshot_length);
  if (target.scores()) {
    CutScores(target, static_cast<int64_t>(cut.size()));
    CommitBodyScores(target);
  }
  reclaim_.DropBlocks(std::move(cut));
  EndJob(target);
}

std::optional<BlockId> Cache::HoldObservations(SequenceId sequence) {
  Sequence& target = MustGet(sequence);
  SLUICE_CHECK(target.job().has_value()) << "sequence " << sequence.value << " has no job";
  if (!target.observations()) return std::nullopt;
  ++blocks_[*target.observations()].references;
  target.job_->held_blocks.push_back(*target.observations());
  return target.observations();
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
  if (job.fresh_scores && pool_.is_reserved(*job.fresh_scores)) {
    reclaim_.DropReservedPages({*job.fresh_scores});
  }
  for (const BlockId block : job.held_blocks) DropCount(block);
}

void Cache::DropCount(BlockId block) {
  if (blocks_[block].references > 1) {
    --blocks_[block].references;
  } else {
    reclaim_.DropBlocks({block});
  }
}

// --- blocks that no sequence lists

std::optional<BlockId> Cache::TakeBlock(TenantId tenant, SizeClassId size_class,
                                        int64_t page_count,
                                        std::vector<SlabId>* slabs_to_clear) {
  StepDemand demand;
  demand.Add(size_class, tenant, page_count);
  if (demand.MissingIn(pool_, tenants_).any()) return std::nullopt;
  const BlockId id = AddBlock(size_class, tenant, page_count);
  StepGrant grant;
  TakePages(id, 0, &grant);
  *slabs_to_clear = std::move(grant.slabs_to_clear);
  held_.push_back(id);
  return id;
}

void Cache::HoldBlock(BlockId block) {
  ++blocks_[block].references;
  held_.push_back(block);
}

void Cache::ReleaseBlock(BlockId block) {
  const auto held = std::find(held_.begin(), held_.end(), block);
  SLUICE_CHECK(held != held_.end()) << "block " << block.value << " is not held";
  held_.erase(held);
  DropCount(block);
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
  return blocks_[block].references > 1 || blocks_[block].may_share_pages;
}

const Bodies& Cache::BodiesOf(BodiesId bodies) const { return bodies_[bodies]; }

std::vector<int64_t> Cache::KeptSlots(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  return SlotsBelow(target, target.length());
}

std::vector<int64_t> Cache::SlotsBelow(const Sequence& sequence, int64_t length) const {
  const int64_t tail_slots = length - sequence.tail_first_position();
  std::vector<int64_t> slots(static_cast<size_t>(sequence.geometry().row_count), tail_slots);
  for (int64_t& count : slots) count += sequence.body_slots();
  if (!sequence.bodies()) return slots;
  const Bodies& bodies = bodies_[*sequence.bodies()];
  for (size_t row = 0; row < slots.size(); ++row) slots[row] += bodies.rows[row].slots;
  return slots;
}

int64_t Cache::HeldBytes(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  const auto block_count =
      static_cast<int64_t>(target.blocks().size() + target.body_blocks().size());
  int64_t bytes = block_count * BlockBytes(target.geometry());
  if (target.bodies()) {
    bytes += static_cast<int64_t>(bodies_[*target.bodies()].pages.size()) *
             pool_.page_bytes(target.geometry().size_class);
  }
  for (const auto& held : {target.observations(), target.scores(), target.body_scores()}) {
    if (!held) continue;
    const Block& block = blocks_[*held];
    bytes += static_cast<int64_t>(block.pages.size()) * pool_.page_bytes(block.size_class);
  }
  return bytes;
}

// Its own job's count goes with it.
bool Cache::SharesObservations(const Sequence& sequence) const {
  const BlockId rows = *sequence.observations();
  const int64_t of_job = sequence.job() ? std::count(sequence.job()->held_blocks.begin(),
                                                     sequence.job()->held_blocks.end(), rows)
                                        : 0;
  return blocks_[rows].references > 1 + of_job;
}

int64_t Cache::BytesAlone(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  int64_t bytes = 0;
  // No page is in both the tail and the body of one sequence.
  const auto count_alone = [&](const auto& holder) {
    if (holder.references > 1) return;
    bytes += pool_.page_bytes(holder.size_class) *
             std::count_if(holder.pages.begin(), holder.pages.end(),
                           [&](PageId page) { return pool_.reference_count(page) == 1; });
  };
  for (const BlockId id : target.blocks()) count_alone(blocks_[id]);
  for (const BlockId id : target.body_blocks()) count_alone(blocks_[id]);
  if (target.bodies()) count_alone(bodies_[*target.bodies()]);
  for (const auto& held : {target.scores(), target.body_scores()}) {
    if (held) count_alone(blocks_[*held]);
  }
  if (target.observations() && !SharesObservations(target)) {
    const Block& rows = blocks_[*target.observations()];
    bytes += pool_.page_bytes(rows.size_class) * static_cast<int64_t>(rows.pages.size());
  }
  return bytes;
}

bool Cache::MayShare(SequenceId sequence) const {
  const Sequence& target = MustGet(sequence);
  const auto is_shared = [&](BlockId id) {
    return blocks_[id].references > 1 || blocks_[id].may_share_pages;
  };
  for (const std::vector<BlockId>* blocks : {&target.blocks(), &target.body_blocks()}) {
    if (std::any_of(blocks->begin(), blocks->end(), is_shared)) return true;
  }
  for (const auto& held : {target.scores(), target.body_scores()}) {
    if (held && is_shared(*held)) return true;
  }
  if (target.observations() && SharesObservations(target)) return true;
  if (!target.bodies()) return false;
  const Bodies& bodies = bodies_[*target.bodies()];
  return bodies.references > 1 ||
         std::any_of(bodies.pages.begin(), bodies.pages.end(),
                     [&](PageId page) { return pool_.reference_count(page) > 1; });
}

int64_t Cache::BlockBytes(const CacheGeometry& geometry) const {
  return geometry.row_count * pool_.page_bytes(geometry.size_class);
}

int64_t Cache::AvailableBytes(TenantId tenant, std::optional<SizeClassId> size_class) const {
  const int64_t within_maximum =
      tenants_.limits(tenant).max_bytes - tenants_.usage(tenant).bytes;
  const int64_t in_pool = size_class.has_value() ? pool_.AvailableBytes(tenant, *size_class)
                                                 : pool_.AvailableBytes(tenant);
  return std::clamp<int64_t>(within_maximum, 0, in_pool);
}

absl::StatusOr<Sequence*> Cache::Get(SequenceId sequence) const {
  const auto it = sequences_.find(sequence);
  if (it == sequences_.end()) return RefuseUnknown(sequence, "");
  return it->second.get();
}

absl::StatusOr<Sequence*> Cache::GetClosed(SequenceId sequence) const {
  SLUICE_ASSIGN_OR_RETURN(Sequence* const found, Get(sequence));
  if (found->step_open()) return RefuseOpen(sequence, "");
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
  audit.AddHeld(held_);
  audit.AddQueued(reclaim_.ListQueued());
  return audit.Finish();
}

}  // namespace sluice
