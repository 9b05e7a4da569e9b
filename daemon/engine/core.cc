// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/core.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/command_queue.h"
#include "daemon/engine/scores.h"

namespace sluice {
namespace {

PagePool::Options PoolOptions(const Core::Memory& memory) {
  return {memory.slab_count, memory.pool.slab_bytes, memory.job_reserve_bytes};
}

absl::Status NotFound(Reason reason, const std::string& field, absl::string_view kind,
                      uint64_t id) {
  return Refuse(absl::StatusCode::kNotFound, reason, field,
                absl::StrCat("there is no ", kind, " ", id));
}

}  // namespace

absl::Status Draining() {
  return Refuse(absl::StatusCode::kUnavailable, Reason::kDraining, "",
                "the daemon is shutting down");
}

Core::Core(const EngineOptions& engine_options, const Clock& engine_clock, Backend& engine_backend,
           const Memory& engine_memory, uint32_t engine_epoch)
    : options(engine_options),
      clock(engine_clock),
      backend(engine_backend),
      memory(engine_memory),
      epoch(engine_epoch),
      cache(PoolOptions(engine_memory)),
      tables(engine_memory.tables, engine_memory.table_bytes,
             [this](const void* begin, int64_t bytes) { backend.TablesChanged(begin, bytes); }),
      dispatcher(engine_backend, static_cast<int32_t>(engine_options.tenants.size())),
      waiting(static_cast<int32_t>(engine_options.tenants.size()), engine_options.max_waiting) {
  for (const EngineOptions::Tenant& tenant : options.tenants) {
    TenantLimits limits;
    if (tenant.maximum_bytes > 0) limits.max_bytes = tenant.maximum_bytes;
    limits.guaranteed_bytes = tenant.guaranteed_bytes;
    limits.max_sequences = options.max_sequences;
    cache.tenants().Add(limits);
  }
}

LaneTickets Core::submitted() const {
  return {backend.Submitted(Lane::kForeground), backend.Submitted(Lane::kBackground)};
}

LaneTickets Core::completed() const {
  return {backend.Completed(Lane::kForeground), backend.Completed(Lane::kBackground)};
}

uint64_t Core::NewId() {
  SLUICE_CHECK(last_id_number < kMaxIdNumber) << "all ids are given out";
  return MakeId(epoch, ++last_id_number);
}

absl::Status Core::CheckEpoch(uint64_t id, const std::string& field) const {
  if (EpochOf(id) == epoch) return absl::OkStatus();
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStaleEpoch, field,
                absl::StrCat("the id ", id, " is of an earlier life of the daemon (its epoch is ",
                             EpochOf(id), ", now it is ", epoch, ")"));
}

absl::StatusOr<ModelState*> Core::FindModel(const Caller& caller, uint64_t id,
                                            const std::string& field) {
  SLUICE_RETURN_IF_ERROR(CheckEpoch(id, field));
  const auto found = models.find(id);
  if (found == models.end() || found->second->tenant != caller.tenant) {
    return NotFound(Reason::kUnknownModel, field, "model", id);
  }
  return found->second.get();
}

absl::StatusOr<SequenceState*> Core::FindSequence(const Caller& caller, uint64_t id,
                                                  const std::string& field) {
  SLUICE_RETURN_IF_ERROR(CheckEpoch(id, field));
  const auto found = sequences.find(id);
  const bool is_known = found != sequences.end() && !found->second->free_when_idle &&
                        (caller.sees_every_tenant || found->second->tenant == caller.tenant);
  if (!is_known) {
    return NotFound(Reason::kUnknownSequence, field, "sequence", id);
  }
  return found->second.get();
}

absl::StatusOr<SequenceState*> Core::FindWhole(const Caller& caller, uint64_t id,
                                               const std::string& field) {
  SLUICE_ASSIGN_OR_RETURN(SequenceState* sequence, FindSequence(caller, id, field));
  if (!cached(*sequence).lost()) return sequence;
  return Refuse(absl::StatusCode::kAborted, Reason::kSequenceLost, field,
                absl::StrCat("sequence ", id, " is lost; free it and prefill again"));
}

absl::StatusOr<StepState*> Core::FindStep(const Caller& caller, uint64_t id) {
  SLUICE_RETURN_IF_ERROR(CheckEpoch(id, "step_id"));
  const auto found = steps.find(id);
  if (found == steps.end() || found->second->tenant != caller.tenant || found->second->undoing) {
    return Refuse(absl::StatusCode::kNotFound, Reason::kUnknownStep, "step_id",
                  absl::StrCat("there is no open step ", id));
  }
  return found->second.get();
}

absl::StatusOr<SessionState*> Core::FindSession(const Caller& caller, uint64_t id,
                                                const std::string& field) {
  SLUICE_RETURN_IF_ERROR(CheckEpoch(id, field));
  const auto found = sessions.find(id);
  if (found == sessions.end() || found->second->tenant != caller.tenant) {
    return NotFound(Reason::kUnknownSession, field, "session", id);
  }
  return found->second.get();
}

Room Core::RoomOf(int32_t tenant, const ModelState* model) const {
  Room room;
  std::optional<SizeClassId> size_class;
  if (model != nullptr) {
    size_class = model->size_class;
    room.block_bytes = model->model->block_bytes();
  }
  room.free_bytes = cache.AvailableBytes(TenantId{static_cast<uint32_t>(tenant)}, size_class);
  return room;
}

void Core::RenewLease(const SequenceState& sequence) {
  if (sequence.session == 0) leases.Set(sequence.id, now() + sequence.lease);
}

void Core::HoldLeases(std::span<const uint64_t> ids) {
  for (const uint64_t id : ids) {
    if (const auto found = sequences.find(id); found != sequences.end()) {
      ++found->second->waiting_calls;
    }
  }
}

void Core::LetLeasesRun(std::span<const uint64_t> ids) {
  for (const uint64_t id : ids) {
    const auto found = sequences.find(id);
    if (found == sequences.end()) continue;
    --found->second->waiting_calls;
    RenewLease(*found->second);
  }
}

absl::Status Core::EndOfWait(const CancelFlag& cancelled,
                             const WaitList::Attempt& attempt) const {
  if (stopping) return Draining();
  if (cancelled != nullptr && cancelled->load()) {
    return absl::CancelledError("the caller gave up");
  }
  if (attempt.crowded) {
    return Refuse(absl::StatusCode::kResourceExhausted, Reason::kQueueFull, "",
                  "as many calls of the tenant wait as may", kQueueRetryAfterMs);
  }
  if (attempt.out_of_time) {
    return absl::DeadlineExceededError("the call still waits after the time that it may take");
  }
  return absl::OkStatus();
}

void Core::ClearSlabs(const std::vector<SlabId>& slabs) {
  for (const SlabId slab : slabs) {
    backend.Clear(memory.pool.pool + int64_t{slab.value} * memory.pool.slab_bytes,
                  memory.pool.slab_bytes);
  }
}

uint16_t Core::FormatOf(const SequenceState& sequence) const {
  return sequence.cascade != nullptr ? sequence.model->cascade_format : sequence.model->format;
}

ViewEntry Core::EntryOf(const SequenceState& sequence) const {
  const Sequence& state = cached(sequence);
  ViewEntry entry;
  if (state.bodies().has_value()) entry.bodies_offset = tables.BodiesOffset(*state.bodies());
  entry.block_list_offset = sequence.list.range.offset;
  entry.base_length = state.length();
  entry.tail_first_position = state.tail_first_position();
  entry.tail_start = state.tail_start();
  entry.tail_format = entry.body_format = FormatOf(sequence);
  FillScores(*this, sequence, entry);
  return entry;
}

int64_t Core::RowSlotsOf(const ViewEntry& entry, const SequenceState& sequence) const {
  const std::optional<BodiesId> bodies = cached(sequence).bodies();
  int64_t body = bodies.has_value() ? tables.MostBodySlots(*bodies) : 0;
  if (sequence.cascade != nullptr) {
    body = CascadeSlots(*sequence.cascade, entry.tail_first_position);
  }
  return body + entry.base_length + entry.token_count - entry.tail_first_position;
}

}  // namespace sluice
