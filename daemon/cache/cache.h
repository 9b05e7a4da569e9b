// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/cache/block.h"
#include "daemon/cache/bodies.h"
#include "daemon/cache/ids.h"
#include "daemon/cache/page_pool.h"
#include "daemon/cache/reclaim_queue.h"
#include "daemon/cache/sequence.h"
#include "daemon/cache/step.h"
#include "daemon/cache/step_demand.h"
#include "daemon/cache/tenant_ledger.h"

namespace sluice {

// Who holds which page: sequences, their blocks and bodies, steps and jobs.
//
// Deterministic state over ids: no bytes, clock or I/O. What an operation gives
// up is queued; ReclaimSlice drops it and Passed frees it, both in slices. Until
// then it counts as in use.
//
// Every operation with a SequenceId: NOT_FOUND (UNKNOWN_SEQUENCE) if there is
// none. A refused operation changes nothing.
//
// Not thread-safe: owned by the engine thread. No method blocks.
class Cache {
 public:
  explicit Cache(const PagePool::Options& options);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // See PagePool::AddSizeClass.
  SizeClassId AddSizeClass(int64_t pages_per_slab, int64_t page_bytes, int64_t page_size);
  // Tenants are added here; only the cache charges them.
  TenantLedger& tenants() { return tenants_; }
  const TenantLedger& tenants() const { return tenants_; }

  // --- sequences

  // An empty sequence.
  // Errors: RESOURCE_EXHAUSTED (TENANT_QUOTA): the tenant's number of sequences.
  // REQUIRES: row_count >= 1; page_size is the class's; a known class and tenant.
  absl::StatusOr<SequenceId> CreateSequence(const CacheGeometry& geometry, TenantId tenant);

  // A copy that shares every block and the bodies. The parent's job is not the
  // copy's. O(blocks).
  // Errors: FAILED_PRECONDITION (STEP_OPEN); ABORTED (SEQUENCE_LOST);
  // RESOURCE_EXHAUSTED (TENANT_QUOTA).
  absl::StatusOr<SequenceId> Fork(SequenceId parent);

  // Forgets the sequence and its job; its id is unknown from now on. O(1).
  // Errors: FAILED_PRECONDITION (STEP_OPEN).
  absl::Status Free(SequenceId sequence);

  // Drops the tokens from `new_length` on. The next step copies the kept slots of
  // a block that others list too. What the dropped tokens added to scores stays: a
  // sequence that keeps some is not rolled back below its length.
  // Errors: FAILED_PRECONDITION (STEP_OPEN), (BELOW_FLOOR), (LENGTH_MISMATCH):
  // beyond the length; ABORTED (SEQUENCE_LOST).
  // REQUIRES: not below what a running job reads: cancel that first.
  absl::Status Rollback(SequenceId sequence, int64_t new_length);

  // Gives up the sequence's observation rows, if it has any. REQUIRES: no step is open.
  void DropObservations(SequenceId sequence);

  // From now on the sequence keeps a score for each of its slots: each step adds a page
  // of `size_class` for each of its new blocks, each commit one for the body. A fork
  // shares them; the first step of one of those that share copies them all.
  // REQUIRES: it holds no tokens, in a body neither, and keeps none; no step is open.
  void KeepScores(SequenceId sequence, SizeClassId size_class);

  // Gives up the sequence's scores, if it keeps any. REQUIRES: no step is open, no job
  // runs.
  void DropScores(SequenceId sequence);

  // From now on only reads and Free (after UndoStep) are accepted.
  absl::Status MarkLost(SequenceId sequence);

  // --- steps

  // Opens a step on every entry's sequence: rolls it back to the entry's base_length
  // and allocates its blocks, copies of shared open blocks included. Pages that the
  // rollbacks drop serve the step itself. O(entries + new pages + dropped blocks).
  //
  // The caller submits the copies to the foreground lane before it submits
  // anything else of these sequences and before the next ReclaimSlice.
  //
  // All or nothing. Errors: INVALID_ARGUMENT: a token_count < 1, positions beyond
  // 2^31 - 1, a sequence named twice; FAILED_PRECONDITION (LENGTH_MISMATCH): beyond
  // its length, (BELOW_FLOOR), (STEP_OPEN); ABORTED (SEQUENCE_LOST);
  // RESOURCE_EXHAUSTED (POOL_FULL) or (TENANT_QUOTA), with the missing bytes in the
  // message. Fields are `entries[i].<name>`.
  // REQUIRES: with room, no base_length below what a running job reads, nor below the
  // length of a sequence that keeps scores or whose body the step writes; with kReuse, what the rollbacks drop is read
  // by the foreground lane only.
  absl::StatusOr<StepGrant> BeginStep(std::span<const StepEntryRequest> entries,
                                      DroppedPages dropped = DroppedPages::kReuse);

  // Bytes that are missing before BeginStep(entries) finds room; 0: none. Those a
  // tenant's maximum lacks count like those the pool lacks. Entries of unknown
  // sequences need nothing. REQUIRES, as the next two: every base_length is one that
  // BeginStep accepts.
  int64_t MissingBytes(std::span<const StepEntryRequest> entries,
                       DroppedPages dropped = DroppedPages::kReuse) const;

  // Whether BeginStep(entries) would take anything of the pool.
  bool NeedsPages(std::span<const StepEntryRequest> entries,
                  DroppedPages dropped = DroppedPages::kReuse) const;

  // The entries that find room together when room is given in their order, as
  // indexes into `entries`.
  std::vector<size_t> EntriesWithRoom(std::span<const StepEntryRequest> entries,
                                      DroppedPages dropped = DroppedPages::kReuse) const;

  // The step's tokens now count. REQUIRES: a step is open on the sequence.
  void CloseStep(SequenceId sequence);

  // What of the tail a step moved into the body that it wrote in place.
  struct TailMove {
    int64_t first_position = 0;  // tokens below are in the body
    int64_t body_slots = 0;      // that each row has then: the last of its blocks has some
    // Where the tokens from there on lie: all in blocks of the list's, from
    // slot `tail_start` of block `first_block` on.
    int64_t first_block = 0;
    int32_t tail_start = 0;
  };
  // Gives up the blocks of the tail that hold no token any more. REQUIRES: no step is
  // open; the operations that move and write those blocks have been submitted.
  void MoveIntoBody(SequenceId sequence, const TailMove& move);

  // Gives up the step's new blocks; the length stays as it was before the step. A
  // copy of the open block stays: the copy has been submitted. So do observation rows,
  // and what the step added to scores: if it added any, the sequence is to be lost.
  // REQUIRES: a step is open on the sequence.
  void UndoStep(SequenceId sequence);

  // --- jobs

  // Starts the sequence's job on positions below `snapshot_length` and returns the
  // slots held there by row [row_count]. `read_length`: it reads positions below this
  // too; absent: below the snapshot only.
  // Errors: ABORTED (SEQUENCE_LOST).
  // REQUIRES: no job runs; tail_first_position <= snapshot_length <= read_length <= length.
  absl::StatusOr<std::vector<int64_t>> PlanJob(
      SequenceId sequence, int64_t snapshot_length,
      std::optional<int64_t> read_length = std::nullopt);

  // The job has read what lies beyond its snapshot: a rollback may drop it now.
  // REQUIRES: a job was planned.
  void EndJobReads(SequenceId sequence);

  // Destination pages, reserved for the sequence's job; out of the job reserve
  // when nothing else is free. May be called again for more. `body_scores`: the class of
  // a page that holds the scores of the new body; once a job.
  // Errors: RESOURCE_EXHAUSTED (POOL_FULL).
  // REQUIRES: a job was planned.
  absl::StatusOr<JobPages> AllocateJobPages(
      SequenceId sequence, int64_t page_count,
      std::optional<SizeClassId> body_scores = std::nullopt);

  // Pages that AllocateJobPages would grant now at most, beside one for scores; -1: not
  // even that one.
  // REQUIRES: a known sequence.
  int64_t AvailableJobPages(SequenceId sequence,
                            std::optional<SizeClassId> body_scores = std::nullopt) const;

  // Bodies := `result`; tail := what lies beyond the snapshot. The job's pages that
  // `result` does not list, the old bodies and the blocks wholly before the
  // snapshot are given up. O(pages of the result).
  // The scores of its slots become those of the job's page for them.
  // REQUIRES: a job was planned; no step is open; `result` is dense, lists no page
  // twice, and the operations that wrote it have completed; where the sequence keeps
  // scores and `result` has a page, the job has one for scores.
  void CommitJob(SequenceId sequence, JobResult result);

  // The job's own count on the sequence's observation rows, until it ends: a step that
  // writes them copies them. None: the sequence has none. REQUIRES: a job was planned.
  std::optional<BlockId> HoldObservations(SequenceId sequence);

  // Ends the job without effect. REQUIRES: a job was planned; no further operation
  // of it will be submitted.
  void CancelJob(SequenceId sequence);

  // --- blocks that no sequence lists

  // A block of pages that the caller alone holds, charged to the tenant; nothing where
  // there is no room for it now.
  std::optional<BlockId> TakeBlock(TenantId tenant, SizeClassId size_class, int64_t page_count,
                                   std::vector<SlabId>* slabs_to_clear);

  // A count of the caller's own on a block, whoever else gives it up.
  void HoldBlock(BlockId block);

  // Gives up a count of one of these two. REQUIRES: there is one.
  void ReleaseBlock(BlockId block);

  // --- giving back

  // Drops queued counts, touching about `max_pages` pages; those without any left
  // are retired with `newest`, the last operation submitted to each lane.
  Reclaimed ReclaimSlice(int64_t max_pages, const LaneTickets& newest);
  bool reclaim_pending() const { return !reclaim_.empty(); }

  // Frees up to `max_pages` retired pages that `completed` has passed. Returns true
  // if more are ready.
  bool Passed(const LaneTickets& completed, int64_t max_pages);

  // Bytes that come back by themselves, at most: queued or retired. O(things queued).
  int64_t ComingBytes() const { return reclaim_.MostBytes() + pool_.bytes().retired; }
  // How far the giving back is; see ReclaimQueue and PagePool.
  const ReclaimQueue& reclaim_queue() const { return reclaim_; }
  bool HoldsRetired(const LaneTickets& tickets) const { return pool_.HoldsRetired(tickets); }

  // --- reading

  // Null if there is none. Stays valid until the sequence is freed.
  const Sequence* Find(SequenceId sequence) const;
  int64_t sequence_count() const { return static_cast<int64_t>(sequences_.size()); }

  // REQUIRES: the block or bodies object is alive. Valid until the next BeginStep
  // or CommitJob.
  std::span<const PageId> BlockPages(BlockId block) const;  // [row_count]
  const Bodies& BodiesOf(BodiesId bodies) const;
  // Of each of its pages. REQUIRES: as BlockPages.
  int64_t PageBytes(BlockId block) const { return pool_.page_bytes(blocks_[block].size_class); }
  // Whether somebody else may hold the block or pages of it too, so that a step that
  // writes to it may have to copy it. O(1). REQUIRES: the block is alive.
  bool MayShareBlock(BlockId block) const;

  // Kept slots of each row: body and tail. REQUIRES: a known sequence.
  std::vector<int64_t> KeptSlots(SequenceId sequence) const;  // [row_count]
  // Bytes of pages that the sequence lists, shared ones included. O(blocks).
  int64_t HeldBytes(SequenceId sequence) const;
  // Bytes that would come back if the sequence went now. O(pages).
  int64_t BytesAlone(SequenceId sequence) const;
  // Whether somebody else may hold pages of the sequence too; may be true without
  // need where somebody did. O(blocks + pages of the body).
  bool MayShare(SequenceId sequence) const;
  int64_t BlockBytes(const CacheGeometry& geometry) const;

  PoolBytes pool_bytes() const { return pool_.bytes(); }
  // What `tenant` could take for appends now, within its maximum: in pages of one
  // class, or of all together.
  int64_t AvailableBytes(TenantId tenant,
                         std::optional<SizeClassId> size_class = std::nullopt) const;

  // Empty if every page is counted exactly as blocks, bodies and jobs account for
  // and all sums agree; else what does not. O(pages); for tests.
  std::string CheckInvariants() const;

 private:
  // What BeginStep will do to one sequence.
  struct EntryPlan {
    Sequence* sequence = nullptr;
    int64_t base_length = 0;
    int32_t token_count = 0;
    int64_t kept_blocks = 0;  // of its list, once it is rolled back
    int64_t new_blocks = 0;
    bool copies_open_block = false;
    bool job_reads_source = false;  // so its count on the copied block goes to the job
    ObservationPages observations;  // to be allocated; count 0: none
    const BodyWrites* body = nullptr;
    bool copies_scores = false;
    bool copies_body_scores = false;
    int64_t new_body_blocks = 0;
    std::vector<int32_t> copied_body_blocks;  // by their number in the body

    bool drops() const {
      return kept_blocks < static_cast<int64_t>(sequence->blocks().size());
    }
    // REQUIRES: there is one.
    BlockId open_block() const {
      return sequence->blocks()[static_cast<size_t>(kept_blocks - 1)];
    }
    int64_t pages() const {
      return (new_blocks + (copies_open_block ? 1 : 0) + new_body_blocks +
              static_cast<int64_t>(copied_body_blocks.size())) *
             sequence->geometry().row_count;
    }
  };
  // Counts on a shared block that a step gives up.
  struct GivenUp {
    int32_t copied = 0;
    int32_t dropped = 0;
    int32_t total() const { return copied + dropped; }
  };
  // Blocks of one size class and tenant that a step drops and nobody else holds.
  struct SpareBlocks {
    SizeClassId size_class;
    TenantId tenant;
    std::vector<BlockId> blocks;
    bool usable = true;
    size_t planned = 0;  // so many count as the step's
    size_t next = 0;     // the first that may have pages left
  };
  // The entries of one step so far.
  struct StepPlan {
    std::vector<EntryPlan> entries;
    absl::flat_hash_map<BlockId, GivenUp> given_up;
    std::vector<SpareBlocks> spares;
    StepDemand demand;  // beyond what is spare
  };

  absl::StatusOr<Sequence*> Get(SequenceId sequence) const;
  // Also refuses while a step is open.
  absl::StatusOr<Sequence*> GetClosed(SequenceId sequence) const;
  Sequence& MustGet(SequenceId sequence) const;
  absl::StatusOr<Sequence*> CheckEntry(const StepEntryRequest& entry, size_t index) const;
  EntryPlan Want(const StepEntryRequest& entry, Sequence& sequence) const;
  std::vector<EntryPlan> WantAll(std::span<const StepEntryRequest> entries) const;
  StepPlan Plan(std::vector<EntryPlan> wanted, DroppedPages dropped) const;
  void AddDrops(const EntryPlan& entry, StepPlan* plan) const;
  void PlanShared(const StepPlan& plan, EntryPlan* entry) const;
  void PlanCopy(const StepPlan& plan, EntryPlan* entry) const;
  void PlanObservations(const StepPlan& plan, EntryPlan* entry) const;
  void AddEntry(const EntryPlan& entry, StepPlan* plan) const;
  void PlanScores(const StepPlan& plan, EntryPlan* entry) const;
  void PlanBody(const StepPlan& plan, EntryPlan* entry) const;
  void AddScoreDemand(const EntryPlan& entry, StepDemand* demand) const;
  void AddScoreCopies(const EntryPlan& entry, StepPlan* plan) const;
  void AddDemand(const EntryPlan& entry, StepDemand* demand) const;
  void TakeSpare(StepPlan* plan) const;
  bool TryAdd(EntryPlan entry, DroppedPages dropped, StepPlan* plan) const;
  bool MustCopy(BlockId id, int32_t given_up) const;
  bool MustCopyIn(const StepPlan& plan, BlockId block) const;
  void RollBack(const EntryPlan& plan);
  StepEntryGrant Grant(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                       StepGrant* grant);
  BlockId AllocateBlock(const Sequence& sequence, std::vector<SpareBlocks>* spares,
                        StepGrant* grant);
  size_t ReuseSpare(std::vector<SpareBlocks>* spares, Block& block);
  BlockCopy ReplaceOpenBlock(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                             StepGrant* grant);
  void GrantObservations(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant);
  void GrantScores(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant);
  BlockId ReplaceScores(std::optional<BlockId>* scores, int64_t page_count, StepGrant* grant);
  void GrantBody(const EntryPlan& plan, std::vector<SpareBlocks>* spares,
                 StepEntryGrant* entry, StepGrant* grant);
  void GrantBodyScores(const EntryPlan& plan, StepEntryGrant* entry, StepGrant* grant);
  void UndoBody(Sequence& sequence);
  void GiveUpCount(BlockId block);
  void DropScorePages(BlockId scores, int64_t first, int64_t end);
  void UndoScores(Sequence& sequence);
  void CutScores(Sequence& sequence, int64_t block_count);
  void CommitBodyScores(Sequence& sequence);
  BlockId AddBlock(SizeClassId size_class, TenantId tenant, int64_t page_count);
  void TakePages(BlockId block, size_t first, StepGrant* grant);
  void GiveUp(SpareBlocks spare);
  std::optional<BodiesId> AddBodies(const Sequence& sequence, JobResult result);
  void EndJob(Sequence& sequence);
  void DropCount(BlockId block);
  int64_t MissingForJob(const Sequence& sequence, int64_t page_count,
                        std::optional<SizeClassId> body_scores) const;
  // REQUIRES: it has observation rows.
  bool SharesObservations(const Sequence& sequence) const;
  std::vector<int64_t> SlotsBelow(const Sequence& sequence, int64_t length) const;

  PagePool pool_;
  TenantLedger tenants_;
  BlockTable blocks_;
  BodiesTable bodies_;
  ReclaimQueue reclaim_;
  absl::flat_hash_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<BlockId> held_;  // by callers, once a count
  uint64_t next_sequence_ = 1;
  uint64_t step_number_ = 0;
};

}  // namespace sluice
