// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/engine/coming_memory.h"
#include "daemon/engine/core.h"
#include "daemon/engine/jobs.h"

namespace sluice {

// What a step without room is told.
inline constexpr int64_t kStepRetryAfterMs = 50;

// Opens, closes and undoes steps, and keeps the order of a step's calls.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class Steps {
 public:
  Steps(Core& core, Jobs& jobs) : core_(core), jobs_(jobs) {}

  // Called when nothing uses a sequence any more that was freed meanwhile.
  void OnIdle(std::function<void(SequenceState&)> on_idle) { on_idle_ = std::move(on_idle); }

  void Begin(BeginStep command);
  void End(EndStep command);

  // Undoes a step: at once, or when its running call has passed. Its waiting
  // calls end with ABORTED.
  void Undo(StepState& step);

  // Queues a call of a step; they run one after the other. Renews the time
  // limit, as its end does.
  void AddCall(StepState& step, std::unique_ptr<Call> call);

  // The running call has attended to all tokens of a layer.
  void LayerFinished(const StepState& step, const LayerShape& layer) {
    const bool closes = step.layers_left == 0 && step.waiting_calls.empty();
    if (!step.undoing && !closes) jobs_.ScoreAhead(step, layer);
  }

  // The running call of the step has passed. True if that closed the step, which
  // is then gone. Undoes the step if it was to be undone.
  bool CallFinished(StepState& step);

  // A sequence has one reader less.
  void ReaderFinished(SequenceState& sequence);

 private:
  // What a look at a sequence's triggers changes.
  struct Triggers {
    SequenceState* sequence;
    bool in_prefill;
    bool prefill_end_due;
    bool every_due;
    int64_t prefill_ends;
  };

  // A BeginStep that has not been answered. Nothing of its sequences changes before
  // it begins, but that jobs run which its triggers started.
  struct Pending {
    BeginStep command;
    std::vector<bool> triggered;  // [entries] its triggers made a job: they are through
    std::vector<LeftOut> left_out;
    std::vector<uint64_t> held;  // sequences whose leases it holds, since it waits
    // Triggers that this attempt looked at without effect, as they were before: they
    // are put back unless the step begins.
    std::vector<Triggers> looked_at;

    // [entries] what the step does to those under a cascade, looked at anew each time.
    std::vector<std::optional<CascadeStep>> cascades;

    // Since the call came: what it waits for although its time is over.
    std::optional<ComingMemory> coming;
  };

  WaitList::Outcome Attempt(Pending& pending, const WaitList::Attempt& attempt);
  WaitList::Outcome TryToBegin(Pending& pending, const WaitList::Attempt& attempt);
  bool TakesPages(const Pending& pending, const std::vector<SequenceState*>& sequences) const;
  void PlanCascades(Pending& pending, const std::vector<SequenceState*>& sequences) const;
  WaitList::Outcome Refused(const Pending& pending, absl::Status status, ModelState* model,
                            int64_t missing_bytes);
  bool PrepareAll(Pending& pending, const std::vector<SequenceState*>& sequences,
                  std::vector<size_t>& chosen);
  WaitList::Outcome FindRoom(Pending& pending, const WaitList::Attempt& attempt,
                             const std::vector<SequenceState*>& sequences,
                             std::vector<size_t> chosen);
  WaitList::Outcome NoRoom(const Pending& pending, ModelState* model, Reason reason,
                           int64_t missing_bytes);
  DroppedPages DroppedBy(const BeginStep& command,
                         const std::vector<SequenceState*>& sequences) const;
  WaitList::Outcome WaitForTurn(Pending& pending, const WaitList::Attempt& attempt,
                                ModelState* model);
  bool MayWaitForRoom(Pending& pending, const WaitList::Attempt& attempt, int64_t missing_bytes);
  static std::vector<StepEntryRequest> RequestsOf(const Pending& pending,
                                                  const std::vector<size_t>& chosen,
                                                  const std::vector<SequenceState*>& sequences);
  std::vector<size_t> LeaveOutWithoutRoom(Pending& pending,
                                          const std::vector<SequenceState*>& sequences,
                                          const std::vector<size_t>& chosen, Reason reason,
                                          DroppedPages dropped);
  Reason WhatLacks(const std::vector<StepEntryRequest>& requests, DroppedPages dropped);
  absl::StatusOr<std::vector<SequenceState*>> Check(const BeginStep& command);
  absl::Status CheckEntry(const BeginStep& command, size_t index, SequenceState& sequence);
  absl::Status CheckLength(const StepEntry& entry, size_t index, const SequenceState& sequence);
  absl::Status CheckNotOpen(const std::vector<SequenceState*>& sequences);
  bool Prepare(Pending& pending, size_t index, SequenceState& sequence);
  void CountRollback(SequenceState& sequence, int64_t old_length);
  void RollBackLeftOut(const Pending& pending, const std::vector<SequenceState*>& sequences);
  absl::Status Allocate(const Pending& pending, const std::vector<size_t>& chosen,
                        const std::vector<SequenceState*>& sequences, DroppedPages dropped,
                        StepState& step);
  std::optional<int64_t> ReserveTables(const Pending& pending, const std::vector<size_t>& chosen,
                                       StepState& step);
  bool ReserveLists(const OpenEntry& entry, int64_t blocks);
  void ApplyGrant(const StepGrant& grant, std::vector<TableRange> ranges, StepState& step);
  void SubmitCopy(const BlockCopy& copy, const SequenceState& sequence);
  void WriteView(StepState& step);
  static void CutLayers(StepState& step);
  WaitList::Outcome Open(Pending& pending, const std::vector<size_t>& chosen,
                         const std::vector<SequenceState*>& sequences, DroppedPages dropped);
  absl::Status WithRoom(absl::Status status, const BeginStep& command, ModelState* model,
                        int64_t missing_bytes) const;
  void StartNextCall(StepState& step);
  void Close(StepState& step);
  static void CountObservedRows(const StepState& step, const OpenEntry& entry);
  void CountClosed(OpenEntry& entry);
  static bool MayHaveScored(const StepState& step, size_t entry);
  void FinishUndo(StepState& step);
  void Release(StepState& step);

  Core& core_;
  Jobs& jobs_;
  std::function<void(SequenceState&)> on_idle_;
};

}  // namespace sluice
