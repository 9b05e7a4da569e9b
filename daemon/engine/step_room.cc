// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a step finds room, waits for it, or is refused for want of it.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/engine/steps.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

// Whether a job is at work on the sequence, or may be once this entry begins.
bool MayCompress(const SequenceState& sequence, const StepEntry& entry) {
  if (sequence.job != nullptr) return true;
  const bool ends_prefill = entry.phase == Phase::kDecode && sequence.in_prefill;
  const bool due = sequence.prefill_end_due || sequence.every_due || ends_prefill;
  return due && sequence.policy->spec().triggers.value_or(TriggerSpec{}) != TriggerSpec{};
}

}  // namespace

std::vector<StepEntryRequest> Steps::RequestsOf(const BeginStep& command,
                                                const std::vector<size_t>& chosen,
                                                const std::vector<SequenceState*>& sequences) {
  std::vector<StepEntryRequest> requests;
  requests.reserve(chosen.size());
  for (const size_t index : chosen) {
    const StepEntry& entry = command.entries[index];
    requests.push_back({sequences[index]->handle, entry.base_length,
                        static_cast<int32_t>(entry.token_count)});
  }
  return requests;
}

// A step that stays within its sequences' open blocks takes nothing from anybody
// who waits for memory.
bool Steps::NeedsBlocks(const BeginStep& command,
                        const std::vector<SequenceState*>& sequences) const {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const StepEntry& entry = command.entries[i];
    const Sequence& state = core_.cached(*sequences[i]);
    if (entry.base_length != state.length()) return true;
    if (state.NewBlocksFor(entry.token_count) > 0) return true;
  }
  return false;
}

// An earlier step of the tenant waits for memory and is not overtaken.
Outcome Steps::WaitForTurn(Pending& pending, const WaitList::Attempt& attempt,
                           ModelState* model) {
  if (!attempt.expired || SomeStillComes(pending)) return Outcome::kWaitsForMemory;
  return Refused(pending,
                 Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "entries",
                        "an earlier step of the tenant waits for memory", kStepRetryAfterMs),
                 model, 0);
}

void Steps::MarkComing(Pending& pending) {
  pending.queued_count = core_.cache.reclaim_queue().queued_count();
  pending.retired.reset();
}

// Whether something is not back yet that MarkComing saw. It is queued first, and
// then retired until the lanes have passed.
bool Steps::SomeStillComes(Pending& pending) {
  if (!pending.retired.has_value()) {
    if (core_.cache.reclaim_queue().passed_count() < pending.queued_count) return true;
    pending.retired = core_.submitted();
  }
  return core_.cache.HoldsRetired(*pending.retired);
}

// What was given up comes back by itself, and soon: it is waited for even by a
// step that may not wait, but not what others give up meanwhile.
bool Steps::MayWaitForRoom(Pending& pending, const WaitList::Attempt& attempt,
                           int64_t missing_bytes) {
  if (pending.command.leave_out) return false;
  if (!attempt.expired) return true;
  return missing_bytes <= core_.cache.ComingBytes() && SomeStillComes(pending);
}

Outcome Steps::FindRoom(Pending& pending, const WaitList::Attempt& attempt,
                        const std::vector<SequenceState*>& sequences,
                        std::vector<size_t> chosen) {
  const BeginStep& command = pending.command;
  const int64_t missing = core_.cache.MissingBytes(RequestsOf(command, chosen, sequences));
  if (missing == 0) return Open(pending, chosen, sequences);
  if (MayWaitForRoom(pending, attempt, missing)) return Outcome::kWaitsForMemory;
  const Reason reason = WhatLacks(RequestsOf(command, chosen, sequences));
  if (command.leave_out) {
    chosen = LeaveOutWithoutRoom(pending, sequences, chosen, reason);
    if (!chosen.empty()) return Open(pending, chosen, sequences);
  }
  return NoRoom(pending, sequences[0]->model, reason, missing);
}

Outcome Steps::NoRoom(const Pending& pending, ModelState* model, Reason reason,
                      int64_t missing_bytes) {
  const char* whose = reason == Reason::kTenantQuota ? "the tenant may take" : "are free";
  return Refused(pending,
                 Refuse(absl::StatusCode::kResourceExhausted, reason, "entries",
                        absl::StrCat("the step needs ", missing_bytes, " bytes more than ", whose),
                        kStepRetryAfterMs),
                 model, missing_bytes);
}

// The outcome of a step that does not fit even if its rollbacks give back all that
// they drop: so that nothing is dropped for a step that is refused. None where a
// trigger, which comes after the rollback, could make room.
std::optional<Outcome> Steps::LacksRoomAnyway(Pending& pending,
                                              const WaitList::Attempt& attempt,
                                              const std::vector<SequenceState*>& sequences) {
  const BeginStep& command = pending.command;
  if (command.leave_out) return std::nullopt;
  bool rolls_back = false;
  std::vector<StepEntryRequest> growth;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const StepEntry& entry = command.entries[i];
    if (MayCompress(*sequences[i], entry)) return std::nullopt;
    const int64_t length = core_.cached(*sequences[i]).length();
    rolls_back = rolls_back || entry.base_length < length;
    const int64_t tokens = entry.base_length + entry.token_count - length;
    if (tokens < 1) continue;
    growth.push_back({sequences[i]->handle, length, static_cast<int32_t>(tokens)});
  }
  if (!rolls_back) return std::nullopt;
  const int64_t missing = core_.cache.MissingBytes(growth);
  if (missing == 0) return std::nullopt;
  if (MayWaitForRoom(pending, attempt, missing)) return Outcome::kWaitsForMemory;
  return NoRoom(pending, sequences[0]->model, WhatLacks(growth), missing);
}

// REQUIRES: bytes are missing, so that the cache refuses the step.
Reason Steps::WhatLacks(const std::vector<StepEntryRequest>& requests) {
  const absl::Status refused = core_.cache.BeginStep(requests).status();
  SLUICE_CHECK(!refused.ok()) << "a step found room that was missing";
  const std::optional<Refusal> refusal = RefusalOf(refused);
  return refusal.has_value() && refusal->reason == Reason::kTenantQuota ? Reason::kTenantQuota
                                                                        : Reason::kPoolFull;
}

std::vector<size_t> Steps::LeaveOutWithoutRoom(Pending& pending,
                                               const std::vector<SequenceState*>& sequences,
                                               const std::vector<size_t>& chosen,
                                               Reason reason) {
  const std::vector<size_t> places =
      core_.cache.EntriesWithRoom(RequestsOf(pending.command, chosen, sequences));
  std::vector<size_t> kept;
  for (size_t place = 0; place < chosen.size(); ++place) {
    const size_t entry = chosen[place];
    if (std::find(places.begin(), places.end(), place) != places.end()) {
      kept.push_back(entry);
    } else {
      pending.left_out.push_back(
          {static_cast<int32_t>(entry), sequences[entry]->id, reason});
    }
  }
  return kept;
}

}  // namespace sluice
