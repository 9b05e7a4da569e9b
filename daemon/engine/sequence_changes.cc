// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// What may have to wait until a sequence is idle: forks and policies.

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "daemon/base/check.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/engine/scores.h"
#include "daemon/engine/sequences.h"
#include "daemon/policy/registry.h"

namespace sluice {
namespace {

using Outcome = WaitList::Outcome;

std::span<const uint64_t> NamedBy(const ForkSequences& command) { return command.parents; }
std::span<const uint64_t> NamedBy(const SetPolicy& command) { return {&command.sequence, 1}; }
std::span<const uint64_t> NamedBy(const Compress& command) { return {&command.sequence, 1}; }

absl::Status NoTables() {
  return Refuse(absl::StatusCode::kResourceExhausted, Reason::kPoolFull, "",
                "the table segment is full");
}

// Tries a command now, and again until it is answered, for as long as it may wait.
template <class Command, class Try>
void TryUntilAnswered(Core& core, Command command, Try try_command) {
  const int32_t tenant = command.caller.tenant;
  const absl::Duration deadline = core.now() + command.max_wait;
  const absl::Duration limit = core.now() + command.time_limit;
  auto shared = std::make_shared<Command>(std::move(command));
  core.waiting.Add(tenant, deadline, core.now(),
                   [&core, shared, try_command, held = false](
                       const WaitList::Attempt& attempt) mutable {
                     const Outcome outcome = try_command(*shared, attempt);
                     const bool waits = outcome != Outcome::kAnswered;
                     if (waits && !held) core.HoldLeases(NamedBy(*shared));
                     if (!waits && held) core.LetLeasesRun(NamedBy(*shared));
                     held = waits;
                     return outcome;
                   },
                   limit);
}

}  // namespace

// ---- fork

std::optional<Outcome> Sequences::WaitIdle(SequenceState& sequence, const std::string& field,
                                           bool expired,
                                           const std::function<void(absl::Status)>& refuse) {
  if (sequence.step != nullptr) {
    if (!expired) return Outcome::kWaits;
    RefusalDetails details;
    details.open_step_id = sequence.step->id;
    refuse(WithDetails(Refuse(absl::StatusCode::kFailedPrecondition, Reason::kStepOpen, field,
                              absl::StrCat("step ", details.open_step_id,
                                           " is open on sequence ", sequence.id)),
                       details));
    return Outcome::kAnswered;
  }
  if (sequence.job == nullptr) return std::nullopt;
  jobs_.Hurry(sequence);
  return Outcome::kWaits;
}

void Sequences::Fork(ForkSequences command) {
  TryUntilAnswered(core_, std::move(command), [this](const auto& waiting, const auto& attempt) {
    return TryFork(waiting, attempt);
  });
}

absl::StatusOr<std::vector<SequenceState*>> Sequences::CheckParents(
    const ForkSequences& command) {
  if (core_.draining) return Draining();
  if (command.session != 0) {
    SLUICE_RETURN_IF_ERROR(
        core_.FindSession(command.caller, command.session, "session_id").status());
  }
  const auto count = static_cast<int64_t>(command.parents.size());
  if (count < 1 || count > core_.options.max_step_entries) {
    return RefuseField("parents", absl::StrCat("must have 1 to ", core_.options.max_step_entries,
                                               " entries, got ", count));
  }
  std::vector<SequenceState*> parents;
  for (size_t i = 0; i < command.parents.size(); ++i) {
    SLUICE_ASSIGN_OR_RETURN(
        SequenceState* parent,
        core_.FindWhole(command.caller, command.parents[i], absl::StrCat("parents[", i, "]")));
    parents.push_back(parent);
  }
  const TenantId tenant{static_cast<uint32_t>(command.caller.tenant)};
  const int64_t most = core_.cache.tenants().limits(tenant).max_sequences;
  if (core_.cache.tenants().usage(tenant).sequences + count > most) {
    return Quota(absl::StrCat("the tenant may have ", most, " sequences; ", count,
                              " more are too many"));
  }
  return parents;
}

Outcome Sequences::TryFork(const ForkSequences& command, const WaitList::Attempt& attempt) {
  const auto refuse = [&](absl::Status status) {
    ++core_.totals.refused_calls;
    command.done(std::move(status));
  };
  if (absl::Status ended = core_.EndOfWait(command.cancelled, attempt); !ended.ok()) {
    refuse(std::move(ended));
    return Outcome::kAnswered;
  }
  const int32_t tenant = command.caller.tenant;
  const size_t parameters = absl::HashOf(command.parents);
  const auto before = MadeBefore(tenant, CreatingCall::kFork, command.request_id, parameters);
  if (!before.ok()) {
    refuse(before.status());
    return Outcome::kAnswered;
  }
  if (*before != nullptr) {
    command.done(**before);
    return Outcome::kAnswered;
  }
  const auto parents = CheckParents(command);
  if (!parents.ok()) {
    refuse(parents.status());
    return Outcome::kAnswered;
  }
  for (size_t i = 0; i < parents->size(); ++i) {
    const std::string field = absl::StrCat("parents[", i, "]");
    const auto outcome = WaitIdle(*(*parents)[i], field, attempt.expired, refuse);
    if (outcome) return *outcome;
  }
  auto made = ForkAll(command, *parents);
  if (!made.ok()) {
    refuse(made.status());
    return Outcome::kAnswered;
  }
  request_ids_.Add(tenant, CreatingCall::kFork, command.request_id, {parameters, *made});
  command.done(*std::move(made));
  return Outcome::kAnswered;
}

absl::StatusOr<std::vector<uint64_t>> Sequences::ForkAll(
    const ForkSequences& command, const std::vector<SequenceState*>& parents) {
  std::vector<SequenceState*> made;
  for (SequenceState* parent : parents) {
    const absl::Status status = ForkOne(command, *parent, made);
    if (status.ok()) continue;
    for (SequenceState* child : made) Release(*child);
    return status;
  }
  std::vector<uint64_t> ids;
  for (const SequenceState* child : made) ids.push_back(child->id);
  return ids;
}

absl::Status Sequences::ForkOne(const ForkSequences& command, SequenceState& parent,
                                std::vector<SequenceState*>& made) {
  Tables::BlockList list;
  if (!core_.tables.Reserve(list, parent.list.count)) return NoTables();
  auto handle = core_.cache.Fork(parent.handle);
  if (!handle.ok()) {
    core_.tables.Drop(list);
    return handle.status();
  }
  if (parent.cascade == nullptr) core_.tables.Assign(list, core_.cache.Find(*handle)->blocks());
  auto child = std::make_unique<SequenceState>(parent);
  child->handle = *handle;
  child->cached = core_.cache.Find(*handle);
  child->list = list;
  child->ring_list = child->score_list = {};
  child->ring_list_written = false;
  if (child->cached->scores().has_value() && child->cascade == nullptr) {
    if (!ReserveScoreList(core_, *child, list.count)) {
      SLUICE_CHECK(core_.cache.Free(*handle).ok()) << "a fork of sequence " << parent.id;
      core_.tables.Drop(list);
      return NoTables();
    }
    WriteScoreList(core_, *child, 0);
  }
  child->readers = 0;
  child->waiting_calls = 0;
  child->last_job.reset();
  child->evictions.clear();
  child->shared_tokens = core_.cached(parent).length();
  if (command.session != 0) {
    child->session = command.session;
    child->lease = absl::ZeroDuration();
  }
  core_.RenewLease(parent);
  made.push_back(&Adopt(std::move(child)));
  return absl::OkStatus();
}

// ---- policies

template <class Command, class MakePolicy, class Act>
Outcome Sequences::TryWhenIdle(const Command& command, const WaitList::Attempt& attempt,
                               MakePolicy make_policy, Act act) {
  const auto refuse = [&](absl::Status status) {
    ++core_.totals.refused_calls;
    command.done(std::move(status));
  };
  if (absl::Status ended = core_.EndOfWait(command.cancelled, attempt); !ended.ok()) {
    refuse(std::move(ended));
    return Outcome::kAnswered;
  }
  const auto sequence = core_.FindWhole(command.caller, command.sequence, "sequence_id");
  if (!sequence.ok()) {
    refuse(sequence.status());
    return Outcome::kAnswered;
  }
  absl::StatusOr<PolicyPtr> policy = make_policy(**sequence);
  if (!policy.ok()) {
    refuse(policy.status());
    return Outcome::kAnswered;
  }
  if (const auto outcome = WaitIdle(**sequence, "sequence_id", attempt.expired, refuse)) {
    return *outcome;
  }
  core_.RenewLease(**sequence);
  act(**sequence, *std::move(policy));
  return Outcome::kAnswered;
}

void Sequences::Set(SetPolicy command) {
  TryUntilAnswered(core_, std::move(command), [this](const auto& waiting, const auto& attempt) {
    return TrySet(waiting, attempt);
  });
}

Outcome Sequences::TrySet(const SetPolicy& command, const WaitList::Attempt& attempt) {
  std::optional<ObservationRings> rings;
  std::optional<SizeClassId> scores;
  const auto make_policy = [&](const SequenceState& sequence) -> absl::StatusOr<PolicyPtr> {
    SLUICE_ASSIGN_OR_RETURN(
        PolicyPtr policy, MakePolicyFor(command.policy, *sequence.model, sequence.draft_tokens));
    SLUICE_ASSIGN_OR_RETURN(rings, RingsFor(*policy, *sequence.model, sequence.draft_tokens));
    SLUICE_RETURN_IF_ERROR(CheckCascade(*policy, sequence));
    SLUICE_RETURN_IF_ERROR(CheckScores(*policy, sequence, /*may_begin=*/true));
    SLUICE_ASSIGN_OR_RETURN(scores, ScoresFor(*policy, *sequence.model));
    return policy;
  };
  return TryWhenIdle(command, attempt, make_policy, [&](SequenceState& sequence, PolicyPtr policy) {
    ChangePolicy(sequence, policy, rings, scores);
    command.done(std::move(policy));
  });
}

// Tokens lie in the body, and keys in their format, from the first on.
absl::Status Sequences::CheckCascade(const Policy& policy, const SequenceState& sequence) const {
  if (policy.needs().cascade == sequence.policy->needs().cascade ||
      core_.cached(sequence).length() == 0) {
    return absl::OkStatus();
  }
  return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                absl::StrCat("a sequence of ", core_.cached(sequence).length(),
                             " tokens cannot change from ", sequence.policy->spec().preset,
                             " to ", policy.spec().preset, "; allowed at length 0"));
}

// Rows of another window are of no use to the policy; the next step begins anew. So are
// scores by another rule, which are none yet.
void Sequences::ChangePolicy(SequenceState& sequence, PolicyPtr policy,
                             std::optional<ObservationRings> rings,
                             std::optional<SizeClassId> scores) {
  // A cascade's scores lie otherwise than those of the same rule without one.
  if (policy->needs().accumulated_score != sequence.policy->needs().accumulated_score ||
      policy->needs().cascade != sequence.policy->needs().cascade) {
    core_.cache.DropScores(sequence.handle);
    if (scores.has_value()) core_.cache.KeepScores(sequence.handle, *scores);
  }
  const bool same = sequence.rings.has_value() == rings.has_value() &&
                    (!rings.has_value() ||
                     (sequence.rings->pages == rings->pages &&
                      sequence.rings->layout.capacity == rings->layout.capacity));
  if (!same) DropObservations(core_, sequence);
  sequence.rings = std::move(rings);
  sequence.cascade = MakeCascadeGeometry(*policy);
  sequence.policy = std::move(policy);
  jobs_.CountSlots(sequence);
}

void Sequences::Compress(struct Compress command) {
  TryUntilAnswered(core_, std::move(command), [this](const auto& waiting, const auto& attempt) {
    return TryCompress(waiting, attempt);
  });
}

absl::StatusOr<PolicyPtr> Sequences::CompressPolicy(const struct Compress& command,
                                                    const SequenceState& sequence) const {
  PolicyPtr policy = sequence.policy;
  if (policy->needs().cascade.has_value()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "sequence_id",
                  absl::StrCat("the policy ", policy->spec().preset,
                               " keeps the sequence's size by itself; no job runs on it"));
  }
  if (command.policy.has_value()) {
    SLUICE_ASSIGN_OR_RETURN(
        policy, MakePolicyFor(*command.policy, *sequence.model, sequence.draft_tokens));
    if (policy->needs().cascade.has_value()) {
      return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds,
                    "policy.preset",
                    absl::StrCat("is ", policy->spec().preset,
                                 ", which keeps a sequence from its first token on"));
    }
    SLUICE_RETURN_IF_ERROR(CheckScores(*policy, sequence, /*may_begin=*/false));
    // Its heads may have to hold the same.
    if (policy->needs().accumulated_score != sequence.policy->needs().accumulated_score) {
      return Refuse(absl::StatusCode::kFailedPrecondition, Reason::kPolicyNeeds, "policy.preset",
                    absl::StrCat("a sequence under ", sequence.policy->spec().preset,
                                 " is compressed by that alone; its budget may differ"));
    }
  }
  if (!command.budget_tokens.has_value()) return policy;
  return WithBudget(*policy, *command.budget_tokens, sequence.model->facts);
}

Outcome Sequences::TryCompress(const struct Compress& command,
                               const WaitList::Attempt& attempt) {
  const auto make_policy = [&](const SequenceState& sequence) {
    return CompressPolicy(command, sequence);
  };
  return TryWhenIdle(command, attempt, make_policy, [&](SequenceState& sequence, PolicyPtr policy) {
    const auto answer = [done = command.done, model = sequence.model->model](const JobEnd& end) {
      if (!end.status.ok()) return done(end.status);
      done(Compressed{model, end.kept_tokens, end.freed_now_bytes, end.freed_later_bytes,
                      end.report});
    };
    if (command.dry_run) return jobs_.DryRun(sequence, std::move(policy), answer);
    jobs_.Request(sequence, std::move(policy), answer);
  });
}

}  // namespace sluice
