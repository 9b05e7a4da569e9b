// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "daemon/base/clock.h"
#include "daemon/cache/cache.h"
#include "daemon/cache/lease_table.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/state.h"
#include "daemon/engine/wait_list.h"

namespace sluice {

// The engine thread's state: what its rooms (sequences, steps, data calls,
// jobs, sessions) share. Members are public: the rooms are one program.
//
// Not thread-safe: owned by the engine thread.
class Core {
 public:
  // What the memory layer made; outlives the core.
  struct Memory {
    PoolView pool;
    SpanFormat* formats = nullptr;  // [kMaxFormats], written when a model comes
    std::byte* tables = nullptr;
    int64_t table_bytes = 0;
    std::byte* workspace = nullptr;  // of jobs, 64-byte aligned
    int64_t workspace_bytes = 0;
    int64_t slab_count = 0;
    int64_t job_reserve_bytes = 0;  // of pages
  };
  static constexpr int64_t kMaxFormats = 4096;

  Core(const EngineOptions& engine_options, const Clock& engine_clock, Backend& engine_backend,
       const Memory& engine_memory, uint32_t engine_epoch);

  absl::Duration now() const { return clock.MonotonicNow(); }
  LaneTickets submitted() const;
  LaneTickets completed() const;
  // Never one twice; stops the process when all are given out.
  uint64_t NewId();

  // Each: FAILED_PRECONDITION (STALE_EPOCH) for an id of another epoch, and
  // NOT_FOUND for one that is unknown or another tenant's. `field` names it.
  absl::StatusOr<ModelState*> FindModel(const Caller& caller, uint64_t id, const std::string& field);
  absl::StatusOr<SequenceState*> FindSequence(const Caller& caller, uint64_t id,
                                              const std::string& field);
  // As FindSequence; ABORTED (SEQUENCE_LOST) for a lost one.
  absl::StatusOr<SequenceState*> FindWhole(const Caller& caller, uint64_t id,
                                           const std::string& field);
  absl::StatusOr<StepState*> FindStep(const Caller& caller, uint64_t id);
  absl::StatusOr<SessionState*> FindSession(const Caller& caller, uint64_t id,
                                            const std::string& field);

  const Sequence& cached(const SequenceState& sequence) const { return *sequence.cached; }
  // What a tenant could take now for a model's blocks; null: for any.
  Room RoomOf(int32_t tenant, const ModelState* model) const;
  // Starts the lease of a sequence without a session anew.
  void RenewLease(const SequenceState& sequence);
  // A call waits for these sequences: their leases do not run out before it ends,
  // which LetLeasesRun says, and start anew then. Ids without a sequence are passed over.
  void HoldLeases(std::span<const uint64_t> ids);
  void LetLeasesRun(std::span<const uint64_t> ids);
  // Writes zeros where another tenant's bytes were.
  void ClearSlabs(const std::vector<SlabId>& slabs);
  // Why a call that waits must end now, if it must: UNAVAILABLE (DRAINING) when the
  // engine stops, CANCELLED, RESOURCE_EXHAUSTED (QUEUE_FULL) where too many wait, or
  // DEADLINE_EXCEEDED.
  absl::Status EndOfWait(const CancelFlag& cancelled, const WaitList::Attempt& attempt) const;
  // Of the sequence's pages.
  uint16_t FormatOf(const SequenceState& sequence) const;
  // An entry over what the sequence has now: rows up to its length.
  ViewEntry EntryOf(const SequenceState& sequence) const;
  // The most slots that a row of the sequence holds when the entry's tokens are there.
  int64_t RowSlotsOf(const ViewEntry& entry, const SequenceState& sequence) const;

  const EngineOptions options;
  const Clock& clock;
  Backend& backend;
  const Memory memory;
  const uint32_t epoch;

  Cache cache;
  Tables tables;
  Dispatcher dispatcher;
  WaitList waiting;
  LeaseTable leases;  // of sequences and steps, by id

  absl::btree_map<uint64_t, std::unique_ptr<ModelState>> models;
  absl::btree_map<uint64_t, std::unique_ptr<SequenceState>> sequences;
  absl::flat_hash_map<uint64_t, std::unique_ptr<StepState>> steps;
  absl::btree_map<uint64_t, std::unique_ptr<SessionState>> sessions;
  EngineTotals totals;
  absl::btree_map<std::string, EngineTotals> totals_by_preset;
  bool draining = false;
  bool stopping = false;  // the thread ends: nobody may wait any more

 private:
  absl::Status CheckEpoch(uint64_t id, const std::string& field) const;

  uint64_t last_id_number = 0;
};

// UNAVAILABLE (DRAINING).
absl::Status Draining();

}  // namespace sluice
