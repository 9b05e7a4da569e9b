// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/steps.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/calls.h"
#include "daemon/engine/scores.h"
#include "daemon/engine/segments.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

std::string Field(size_t index, absl::string_view name) {
  return absl::StrCat("entries[", index, "].", name);
}

// Layers that calls must bring before the step closes.
int64_t LayersToCome(const StepState& step) {
  const Model& model = *step.model->model;
  return step.append_only ? model.own_layer_count() : model.layer_count();
}

bool HasDueJob(const SequenceState& sequence) {
  return sequence.job != nullptr && sequence.job->holds_steps();
}

// As Core::FindWhole; names the field only for a refusal, there are many entries.
absl::StatusOr<SequenceState*> FindEntry(Core& core, const Caller& caller, uint64_t id,
                                         size_t index) {
  static const std::string no_field;
  auto found = core.FindWhole(caller, id, no_field);
  if (found.ok()) return found;
  return core.FindWhole(caller, id, Field(index, "sequence_id"));
}

}  // namespace

void Steps::Begin(BeginStep command) {
  auto pending = std::make_shared<Pending>();
  const absl::Duration deadline = core_.now() + command.max_wait;
  const absl::Duration limit = core_.now() + command.time_limit;
  const int32_t tenant = command.caller.tenant;
  pending->triggered.assign(command.entries.size(), false);
  pending->command = std::move(command);
  pending->coming.emplace(core_);
  core_.waiting.Add(tenant, deadline, core_.now(),
                    [this, pending](const WaitList::Attempt& attempt) {
                      return Attempt(*pending, attempt);
                    },
                    limit);
}

absl::Status Steps::WithRoom(absl::Status status, const BeginStep& command, ModelState* model,
                             int64_t missing_bytes) const {
  RefusalDetails details = DetailsOf(status);
  details.room = core_.RoomOf(command.caller.tenant, model);
  details.room->missing_bytes = missing_bytes;
  return WithDetails(std::move(status), details);
}

Outcome Steps::Refused(const Pending& pending, absl::Status status, ModelState* model,
                       int64_t missing_bytes) {
  ++core_.totals.refused_calls;
  pending.command.done(WithRoom(std::move(status), pending.command, model, missing_bytes));
  return Outcome::kAnswered;
}

Outcome Steps::Attempt(Pending& pending, const WaitList::Attempt& attempt) {
  const Outcome outcome = TryToBegin(pending, attempt);
  for (const Triggers& before : std::exchange(pending.looked_at, {})) {
    before.sequence->in_prefill = before.in_prefill;
    before.sequence->prefill_end_due = before.prefill_end_due;
    before.sequence->every_due = before.every_due;
    before.sequence->prefill_ends = before.prefill_ends;
  }
  if (outcome == Outcome::kAnswered) {
    core_.LetLeasesRun(pending.held);
  } else if (pending.held.empty()) {
    for (const StepEntry& entry : pending.command.entries) pending.held.push_back(entry.sequence);
    core_.HoldLeases(pending.held);
  }
  return outcome;
}

Outcome Steps::TryToBegin(Pending& pending, const WaitList::Attempt& attempt) {
  const BeginStep& command = pending.command;
  if (absl::Status ended = core_.EndOfWait(command.cancelled, attempt); !ended.ok()) {
    return Refused(pending, std::move(ended), nullptr, 0);
  }
  if (core_.draining) return Refused(pending, Draining(), nullptr, 0);
  // The stream may have ended while the call waited; no one would end its step.
  if (command.caller.session != 0) {
    const auto session = core_.FindSession(command.caller, command.caller.session, "session_id");
    if (!session.ok()) return Refused(pending, session.status(), nullptr, 0);
  }
  const auto checked = Check(command);
  if (!checked.ok()) return Refused(pending, checked.status(), nullptr, 0);
  const std::vector<SequenceState*>& sequences = *checked;
  ModelState* const model = sequences[0]->model;
  if (absl::Status open = CheckNotOpen(sequences); !open.ok()) {
    return attempt.expired ? Refused(pending, std::move(open), model, 0) : Outcome::kWaits;
  }
  for (const SequenceState* sequence : sequences) {
    if (sequence->readers > 0) return Outcome::kWaits;
  }
  bool waits_for_job = false;
  for (size_t i = 0; i < sequences.size(); ++i) {
    absl::Status length = CheckLength(command.entries[i], i, *sequences[i]);
    if (!length.ok()) return Refused(pending, std::move(length), model, 0);
    if (!HasDueJob(*sequences[i]) || command.leave_out) continue;
    jobs_.Hurry(*sequences[i]);
    waits_for_job = true;
  }
  if (waits_for_job) return Outcome::kWaits;
  PlanCascades(pending, sequences);
  if (attempt.memory_is_taken && !command.leave_out && TakesPages(pending, sequences)) {
    return WaitForTurn(pending, attempt, model);
  }
  std::vector<size_t> chosen;
  if (!PrepareAll(pending, sequences, chosen)) return Outcome::kWaits;
  if (chosen.empty()) {
    return Refused(pending,
                   Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "entries",
                          "every entry waits for its job", kStepRetryAfterMs),
                   model, 0);
  }
  return FindRoom(pending, attempt, sequences, std::move(chosen));
}

// Looks at the triggers of all entries; `chosen` gets those that need wait for no
// job. False if one must be waited for.
bool Steps::PrepareAll(Pending& pending, const std::vector<SequenceState*>& sequences,
                       std::vector<size_t>& chosen) {
  pending.left_out.clear();
  bool waits = false;
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (Prepare(pending, i, *sequences[i])) {
      chosen.push_back(i);
    } else if (pending.command.leave_out) {
      pending.left_out.push_back({static_cast<int32_t>(i), sequences[i]->id, Reason::kJobDue});
    } else {
      jobs_.Hurry(*sequences[i]);
      waits = true;
    }
  }
  return !waits;
}

absl::StatusOr<std::vector<SequenceState*>> Steps::Check(const BeginStep& command) {
  if (command.entries.empty() ||
      static_cast<int64_t>(command.entries.size()) > core_.options.max_step_entries) {
    return RefuseField("entries", absl::StrCat("must have 1 to ", core_.options.max_step_entries,
                                               " entries, got ", command.entries.size()));
  }
  std::vector<SequenceState*> sequences;
  sequences.reserve(command.entries.size());
  absl::flat_hash_set<uint64_t> seen;
  seen.reserve(command.entries.size());
  for (size_t i = 0; i < command.entries.size(); ++i) {
    const uint64_t id = command.entries[i].sequence;
    SLUICE_ASSIGN_OR_RETURN(SequenceState* sequence,
                            FindEntry(core_, command.caller, id, i));
    if (!seen.insert(id).second) {
      return RefuseField(Field(i, "sequence_id"),
                         absl::StrCat("sequence ", id, " is named twice"));
    }
    sequences.push_back(sequence);
    SLUICE_RETURN_IF_ERROR(CheckEntry(command, i, *sequence));
    if (sequence->model != sequences[0]->model) {
      return RefuseField(Field(i, "sequence_id"),
                         absl::StrCat("is of model ", sequence->model->id, ", entries[0] of model ",
                                      sequences[0]->model->id));
    }
  }
  return sequences;
}

absl::Status Steps::CheckEntry(const BeginStep& command, size_t index, SequenceState& sequence) {
  const StepEntry& entry = command.entries[index];
  const int64_t most = core_.options.max_sequence_tokens;
  if (entry.base_length < 0 || entry.base_length > most) {
    return RefuseField(Field(index, "base_length"),
                       absl::StrCat("must be in [0, ", most, "], got ", entry.base_length));
  }
  if (entry.token_count < 1 || entry.token_count > most - entry.base_length) {
    return RefuseField(Field(index, "token_count"),
                       absl::StrCat("must be in [1, ", most - entry.base_length,
                                    "] beyond base_length ", entry.base_length, ", got ",
                                    entry.token_count));
  }
  if (entry.prefill_end && entry.phase != Phase::kPrefill) {
    return RefuseField(Field(index, "prefill_end"), "is for PHASE_PREFILL only");
  }
  const PolicyNeeds& needs = sequence.policy->needs();
  if (entry.rollback && !needs.allows_rollback) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds,
                  Field(index, "rollback"), "the sequence's policy allows no rollback");
  }
  if (command.append_only && needs.q_of_every_row) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "append_only",
                  absl::StrCat("the policy of entries[", index, "] needs every query row"));
  }
  return absl::OkStatus();
}

absl::Status Steps::CheckLength(const StepEntry& entry, size_t index,
                                const SequenceState& sequence) {
  const Sequence& state = core_.cached(sequence);
  RefusalDetails details;
  details.length = state.length();
  details.rollback_floor = state.rollback_floor();
  if (entry.base_length > state.length() ||
      (entry.base_length < state.length() && !entry.rollback)) {
    return WithDetails(
        Refuse(absl::StatusCode::kFailedPrecondition, Reason::kLengthMismatch,
               Field(index, "base_length"),
               absl::StrCat("the sequence's length is ", state.length(), ", got ",
                            entry.base_length,
                            entry.base_length < state.length() ? " without rollback" : "")),
        details);
  }
  // A due job moves the floor.
  if (entry.base_length < state.rollback_floor() && !HasDueJob(sequence)) {
    return WithDetails(
        Refuse(absl::StatusCode::kFailedPrecondition, Reason::kBelowFloor,
               Field(index, "base_length"),
               absl::StrCat("cannot roll back below ", state.rollback_floor(), ", got ",
                            entry.base_length)),
        details);
  }
  return absl::OkStatus();
}

absl::Status Steps::CheckNotOpen(const std::vector<SequenceState*>& sequences) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i]->step == nullptr) continue;
    RefusalDetails details;
    details.open_step_id = sequences[i]->step->id;
    return WithDetails(Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStepOpen,
                              Field(i, "sequence_id"),
                              absl::StrCat("step ", details.open_step_id,
                                           " is open on sequence ", sequences[i]->id)),
                       details);
  }
  return absl::OkStatus();
}

// Looks at triggers as if the sequence were rolled back already. False if a job is
// due first.
bool Steps::Prepare(Pending& pending, size_t index, SequenceState& sequence) {
  const StepEntry& entry = pending.command.entries[index];
  if (HasDueJob(sequence)) return false;
  if (pending.triggered[index]) return true;
  const Triggers before{&sequence, sequence.in_prefill, sequence.prefill_end_due,
                        sequence.every_due, sequence.prefill_ends};
  const Job* const job_before = sequence.job;
  if (entry.phase == Phase::kDecode && sequence.in_prefill) {
    sequence.in_prefill = false;
    sequence.prefill_end_due = true;
  }
  jobs_.LookAtTriggers(sequence, entry.base_length);
  if (sequence.job == job_before) {
    pending.looked_at.push_back(before);
  } else {
    pending.triggered[index] = true;
  }
  return !HasDueJob(sequence);
}

void Steps::CountRollback(SequenceState& sequence, int64_t old_length) {
  const int64_t length = core_.cached(sequence).length();
  sequence.tokens_on_trial = 0;  // it has said which of them it keeps
  if (length == old_length) return;
  sequence.decoded_tokens -= std::min(sequence.decoded_tokens, old_length - length);
  sequence.shared_tokens = std::min(sequence.shared_tokens, length);
  CutObserved(sequence, length);
  core_.waiting.Changed();
}

// Entries that are left out are rolled back all the same, unless a job goes first
// that was due before them.
void Steps::RollBackLeftOut(const Pending& pending,
                            const std::vector<SequenceState*>& sequences) {
  for (const LeftOut& left_out : pending.left_out) {
    const auto index = static_cast<size_t>(left_out.entry_index);
    SequenceState& sequence = *sequences[index];
    if (HasDueJob(sequence) && !pending.triggered[index]) continue;
    const int64_t old_length = core_.cached(sequence).length();
    const int64_t length = pending.command.entries[index].base_length;
    jobs_.EndAbove(sequence, length);
    const absl::Status rolled_back = core_.cache.Rollback(sequence.handle, length);
    SLUICE_CHECK(rolled_back.ok()) << rolled_back;
    if (length == old_length) continue;
    const std::vector<BlockId>& blocks = core_.cached(sequence).blocks();
    core_.tables.AssignFrom(sequence.list, blocks, static_cast<int64_t>(blocks.size()));
    CountRollback(sequence, old_length);
  }
}

Outcome Steps::Open(Pending& pending, const std::vector<size_t>& chosen,
                    const std::vector<SequenceState*>& sequences, DroppedPages dropped) {
  const BeginStep& command = pending.command;
  auto step = std::make_unique<StepState>();
  step->id = core_.NewId();
  step->tenant = command.caller.tenant;
  step->session = command.caller.session;
  step->model = sequences[0]->model;
  step->append_only = command.append_only;
  if (absl::Status status = Allocate(pending, chosen, sequences, dropped, *step);
      !status.ok()) {
    return Refused(pending, std::move(status), step->model, 0);
  }
  pending.looked_at.clear();
  RollBackLeftOut(pending, sequences);
  const auto layers = static_cast<size_t>(step->model->model->layer_count());
  step->appended.assign(layers, 0);
  step->attended.assign(layers, 0);
  step->layers_left = LayersToCome(*step);
  StepBegun begun;
  begun.step = step->id;
  for (OpenEntry& entry : step->entries) {
    entry.sequence->step = step.get();
    begun.entries.push_back({entry.sequence->id, entry.base_length,
                             core_.cached(*entry.sequence).rollback_floor()});
  }
  begun.left_out = pending.left_out;
  begun.room = core_.RoomOf(command.caller.tenant, step->model);
  if (const auto session = core_.sessions.find(step->session); session != core_.sessions.end()) {
    ++session->second->open_steps;
  }
  core_.leases.Set(step->id, core_.now() + core_.options.step_time_limit);
  StepState& open = *step;
  core_.steps[open.id] = std::move(step);
  jobs_.PrepareAhead(open);
  const bool gave_up = command.cancelled != nullptr && command.cancelled->load();
  if (gave_up) {
    Undo(open);
    command.done(absl::CancelledError("the caller gave up"));
  } else {
    command.done(std::move(begun));
  }
  return Outcome::kAnswered;
}

}  // namespace sluice
