// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a step goes on and ends: its calls in order, closing, undoing.

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/engine/calls.h"
#include "daemon/engine/steps.h"

namespace sluice {

void Steps::End(EndStep command) {
  const auto step = core_.FindStep(command.caller, command.step);
  absl::Status status = step.status();
  if (status.ok() && !command.abort) {
    status = Refuse(absl::StatusCode::kInvalidArgument, Reason::kNotInVersion, "abort",
                    "must be set: a step that is not mapped closes by itself");
  }
  if (!status.ok()) {
    ++core_.totals.refused_calls;
    return command.done(std::move(status));
  }
  (*step)->undo_answers.push_back(std::move(command.done));
  Undo(**step);
}

void Steps::Undo(StepState& step) {
  if (step.undoing) return;
  step.undoing = true;
  for (const auto& call : std::exchange(step.waiting_calls, {})) call->Dropped();
  if (!step.call_running) FinishUndo(step);
}

void Steps::AddCall(StepState& step, std::unique_ptr<Call> call) {
  core_.leases.Set(step.id, core_.now() + core_.options.step_time_limit);
  step.waiting_calls.push_back(std::move(call));
  if (!step.call_running) StartNextCall(step);
}

void Steps::StartNextCall(StepState& step) {
  step.call_running = true;
  std::unique_ptr<Call> call = std::move(step.waiting_calls.front());
  step.waiting_calls.pop_front();
  core_.dispatcher.Add(step.tenant, std::move(call));
}

bool Steps::CallFinished(StepState& step) {
  step.call_running = false;
  core_.leases.Set(step.id, core_.now() + core_.options.step_time_limit);
  if (step.undoing) {
    FinishUndo(step);
    return false;
  }
  if (!step.waiting_calls.empty()) {
    StartNextCall(step);
    return false;
  }
  if (step.layers_left > 0) return false;
  Close(step);
  return true;
}

void Steps::ReaderFinished(SequenceState& sequence) {
  --sequence.readers;
  core_.waiting.Changed();
  if (sequence.readers == 0 && sequence.step == nullptr && sequence.free_when_idle) {
    on_idle_(sequence);
  }
}

void Steps::Close(StepState& step) {
  ++core_.totals.closed_steps;
  core_.totals.tokens += step.view.total_tokens;
  for (OpenEntry& entry : step.entries) {
    core_.cache.CloseStep(entry.sequence->handle);
    if (entry.cascade.has_value()) {
      core_.cache.MoveIntoBody(entry.sequence->handle, entry.cascade->end);
    }
    CountObservedRows(step, entry);
    CountClosed(entry);
  }
  Release(step);
}

// Where the daemon attended it has every row, else the last ones that were brought.
void Steps::CountObservedRows(const StepState& step, const OpenEntry& entry) {
  SequenceState& sequence = *entry.sequence;
  if (!KeepsObservations(sequence, entry.request.phase)) return;
  if (step.append_only && step.observed_layers < sequence.rings->pages.count) return;
  const int64_t end = entry.base_length + entry.request.token_count;
  const int64_t last = std::min(entry.request.token_count, ObservationQueriesOf(entry));
  CountObserved(sequence, step.append_only ? end - last : entry.base_length, end);
}

void Steps::CountClosed(OpenEntry& entry) {
  SequenceState& sequence = *entry.sequence;
  sequence.tokens_on_trial = std::min(entry.request.token_count, sequence.draft_tokens);
  if (entry.request.phase == Phase::kPrefill) {
    sequence.in_prefill = !entry.request.prefill_end;
    sequence.prefill_end_due = sequence.prefill_end_due || entry.request.prefill_end;
  } else {
    sequence.decoded_tokens += entry.request.token_count;
    sequence.every_due = true;
  }
  // With drafts the triggers come after the next step's rollback.
  if (sequence.draft_tokens == 0 && !sequence.free_when_idle) jobs_.LookAtTriggers(sequence);
  if (sequence.job == nullptr) jobs_.DropAhead(sequence);
  if (entry.request.phase == Phase::kDecode) DropSpentObservations(core_, sequence);
}

// Whether an attend of the step changed scores of the entry, or moved tokens into its
// body, which cannot be undone.
bool Steps::MayHaveScored(const StepState& step, size_t entry) {
  const std::optional<CascadeStep>& cascade = step.entries[entry].cascade;
  const bool moves = cascade.has_value() && cascade->moves();
  return (step.entry_rules[entry] >= 0 || moves) &&
         step.view.entries[entry].first_token < step.scored_tokens;
}

void Steps::FinishUndo(StepState& step) {
  ++core_.totals.undone_steps;
  std::vector<uint64_t> lost;
  for (size_t i = 0; i < step.entries.size(); ++i) {
    SequenceState& sequence = *step.entries[i].sequence;
    jobs_.DropAhead(sequence);
    core_.cache.UndoStep(sequence.handle);
    if (MayHaveScored(step, i)) {
      SLUICE_CHECK(core_.cache.MarkLost(sequence.handle).ok()) << "sequence " << sequence.id;
      sequence.prefill_end_due = sequence.every_due = false;
      jobs_.Cancel(sequence);
      lost.push_back(sequence.id);
    }
    if (sequence.cascade != nullptr) continue;
    const std::vector<BlockId>& blocks = core_.cached(sequence).blocks();
    core_.tables.AssignFrom(sequence.list, blocks, static_cast<int64_t>(blocks.size()));
  }
  const auto answers = std::exchange(step.undo_answers, {});
  Release(step);
  for (const auto& answer : answers) answer(lost);
}

void Steps::Release(StepState& step) {
  core_.leases.Remove(step.id);
  // What moves into bodies may still be under way.
  if (step.has_cascades) {
    core_.tables.FreeWhenPassed(step.view_range, core_.submitted());
  } else {
    core_.tables.Free(step.view_range);
  }
  if (const auto session = core_.sessions.find(step.session); session != core_.sessions.end()) {
    --session->second->open_steps;
  }
  const std::vector<OpenEntry> entries = std::move(step.entries);
  core_.steps.erase(step.id);
  for (const OpenEntry& entry : entries) {
    entry.sequence->step = nullptr;
    core_.RenewLease(*entry.sequence);
    if (entry.sequence->free_when_idle && entry.sequence->readers == 0) on_idle_(*entry.sequence);
  }
  core_.waiting.Changed();
}

}  // namespace sluice
