// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How a step finds room, waits for it, or is refused for want of it.

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/engine/steps.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

}  // namespace

// What steps do to sequences under a cascade follows from the lengths alone.
void Steps::PlanCascades(Pending& pending, const std::vector<SequenceState*>& sequences) const {
  pending.cascades.assign(sequences.size(), std::nullopt);
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i]->cascade == nullptr) continue;
    pending.cascades[i] = PlanCascade(*sequences[i]->cascade, core_.cached(*sequences[i]),
                                      pending.command.entries[i]);
  }
}

std::vector<StepEntryRequest> Steps::RequestsOf(const Pending& pending,
                                                const std::vector<size_t>& chosen,
                                                const std::vector<SequenceState*>& sequences) {
  std::vector<StepEntryRequest> requests;
  requests.reserve(chosen.size());
  for (const size_t index : chosen) {
    const StepEntry& entry = pending.command.entries[index];
    const SequenceState& sequence = *sequences[index];
    const std::optional<CascadeStep>& cascade = pending.cascades[index];
    requests.push_back({sequence.handle, entry.base_length,
                        static_cast<int32_t>(entry.token_count), {},
                        cascade.has_value() ? &cascade->writes : nullptr});
    if (KeepsObservations(sequence, entry.phase)) {
      requests.back().observations = sequence.rings->pages;
    }
  }
  return requests;
}

DroppedPages Steps::DroppedBy(const BeginStep& command,
                              const std::vector<SequenceState*>& sequences) const {
  if (jobs_.CancelledOnesRead()) return DroppedPages::kStillRead;
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (jobs_.CancelsARead(*sequences[i], command.entries[i].base_length)) {
      return DroppedPages::kStillRead;
    }
  }
  return DroppedPages::kReuse;
}

// A step that makes do with its sequences' own pages takes nothing from anybody who
// waits for memory.
bool Steps::TakesPages(const Pending& pending,
                       const std::vector<SequenceState*>& sequences) const {
  std::vector<size_t> all(sequences.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return core_.cache.NeedsPages(RequestsOf(pending, all, sequences),
                                DroppedBy(pending.command, sequences));
}

// An earlier step of the tenant waits for memory and is not overtaken.
Outcome Steps::WaitForTurn(Pending& pending, const WaitList::Attempt& attempt,
                           ModelState* model) {
  if (!attempt.expired || pending.coming->SomeStillComes(core_)) return Outcome::kWaitsForMemory;
  return Refused(pending,
                 Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "entries",
                        "an earlier step of the tenant waits for memory", kStepRetryAfterMs),
                 model, 0);
}

// What was given up comes back by itself, and soon: it is waited for even by a
// step that may not wait, but not what others give up meanwhile. So is a cancelled
// job's last batch: it keeps a step from its own pages.
bool Steps::MayWaitForRoom(Pending& pending, const WaitList::Attempt& attempt,
                           int64_t missing_bytes) {
  if (pending.command.leave_out) return false;
  if (!attempt.expired || jobs_.CancelledOnesRead()) return true;
  return missing_bytes <= core_.cache.ComingBytes() && pending.coming->SomeStillComes(core_);
}

Outcome Steps::FindRoom(Pending& pending, const WaitList::Attempt& attempt,
                        const std::vector<SequenceState*>& sequences,
                        std::vector<size_t> chosen) {
  const BeginStep& command = pending.command;
  const DroppedPages dropped = DroppedBy(command, sequences);
  const std::vector<StepEntryRequest> requests = RequestsOf(pending, chosen, sequences);
  const int64_t missing = core_.cache.MissingBytes(requests, dropped);
  if (missing == 0) return Open(pending, chosen, sequences, dropped);
  if (MayWaitForRoom(pending, attempt, missing)) return Outcome::kWaitsForMemory;
  const Reason reason = WhatLacks(requests, dropped);
  if (command.leave_out) {
    chosen = LeaveOutWithoutRoom(pending, sequences, chosen, reason, dropped);
    if (!chosen.empty()) return Open(pending, chosen, sequences, dropped);
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

// REQUIRES: bytes are missing, so that the cache refuses the step.
Reason Steps::WhatLacks(const std::vector<StepEntryRequest>& requests, DroppedPages dropped) {
  const absl::Status refused = core_.cache.BeginStep(requests, dropped).status();
  SLUICE_CHECK(!refused.ok()) << "a step found room that was missing";
  const std::optional<Refusal> refusal = RefusalOf(refused);
  return refusal.has_value() && refusal->reason == Reason::kTenantQuota ? Reason::kTenantQuota
                                                                        : Reason::kPoolFull;
}

std::vector<size_t> Steps::LeaveOutWithoutRoom(Pending& pending,
                                               const std::vector<SequenceState*>& sequences,
                                               const std::vector<size_t>& chosen,
                                               Reason reason, DroppedPages dropped) {
  const std::vector<size_t> places =
      core_.cache.EntriesWithRoom(RequestsOf(pending, chosen, sequences), dropped);
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
