// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/engine/core.h"
#include "daemon/engine/jobs.h"
#include "daemon/engine/request_ids.h"
#include "daemon/engine/steps.h"

namespace sluice {

// Models, and the life of sequences: create, fork, free, policies.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class Sequences {
 public:
  Sequences(Core& core, Jobs& jobs, Steps& steps);

  void Register(RegisterModel command);
  void Create(CreateSequence command);
  void Fork(ForkSequences command);
  void Free(FreeSequences command);
  void Get(GetSequence command);
  void Match(MatchPrefix command);
  void Set(SetPolicy command);
  void Compress(struct Compress command);
  void List(ListSequences command);
  void Inspect(InspectSequence command);

  // Gives a sequence up: now, or as soon as no step and no reader uses it.
  void Release(SequenceState& sequence);

 private:
  absl::StatusOr<ModelInfo> TryRegister(RegisterModel& command);
  absl::StatusOr<SequenceCreated> TryCreate(const CreateSequence& command);
  absl::Status CheckCreate(const CreateSequence& command) const;
  absl::StatusOr<PolicyPtr> MakePolicyFor(const PolicySpec& spec, const ModelState& model,
                                          int64_t draft_tokens) const;
  // What a sequence under the policy keeps; nothing: the policy has no window.
  absl::StatusOr<std::optional<ObservationRings>> RingsFor(const Policy& policy,
                                                           const ModelState& model,
                                                           int64_t draft_tokens) const;
  // The pages of its scores; nothing: the policy accumulates none.
  absl::StatusOr<std::optional<SizeClassId>> ScoresFor(const Policy& policy,
                                                       const ModelState& model) const;
  // FAILED_PRECONDITION (POLICY_NEEDS): the sequence does not keep the scores that the
  // policy accumulates, nor (`may_begin`) can it begin to.
  absl::Status CheckCascade(const Policy& policy, const SequenceState& sequence) const;
  absl::Status CheckScores(const Policy& policy, const SequenceState& sequence,
                           bool may_begin) const;
  WaitList::Outcome TryFork(const ForkSequences& command, const WaitList::Attempt& attempt);
  absl::StatusOr<std::vector<SequenceState*>> CheckParents(const ForkSequences& command);
  absl::StatusOr<std::vector<uint64_t>> ForkAll(const ForkSequences& command,
                                                const std::vector<SequenceState*>& parents);
  absl::Status ForkOne(const ForkSequences& command, SequenceState& parent,
                       std::vector<SequenceState*>& made);
  // The outcome while a step is open or a job is at work; nothing once it is idle.
  // `field` is the one that names the sequence.
  std::optional<WaitList::Outcome> WaitIdle(SequenceState& sequence, const std::string& field,
                                            bool expired,
                                            const std::function<void(absl::Status)>& refuse);
  // Finds the command's sequence, makes a policy for it, and acts once it is idle;
  // the refusals of all three are answered here, the rest by `act(sequence, policy)`.
  template <class Command, class MakePolicy, class Act>
  WaitList::Outcome TryWhenIdle(const Command& command, const WaitList::Attempt& attempt,
                                MakePolicy make_policy, Act act);
  WaitList::Outcome TrySet(const SetPolicy& command, const WaitList::Attempt& attempt);
  void ChangePolicy(SequenceState& sequence, PolicyPtr policy,
                    std::optional<ObservationRings> rings, std::optional<SizeClassId> scores);
  WaitList::Outcome TryCompress(const struct Compress& command,
                                const WaitList::Attempt& attempt);
  absl::StatusOr<PolicyPtr> CompressPolicy(const struct Compress& command,
                                           const SequenceState& sequence) const;
  SequenceState& Adopt(std::unique_ptr<SequenceState> state);
  SequenceInfo InfoOf(const SequenceState& sequence) const;
  void Destroy(SequenceState& sequence);
  // The ids that the tenant's earlier call with this request id made; null: there
  // was none. INVALID_ARGUMENT (request_id) if it had other parameters.
  absl::StatusOr<const std::vector<uint64_t>*> MadeBefore(int32_t tenant, CreatingCall call,
                                                          const std::string& request_id,
                                                          size_t parameters) const;
  int64_t ModelCount(int32_t tenant) const;
  static absl::Status Quota(absl::string_view message);

  Core& core_;
  Jobs& jobs_;
  RequestIds request_ids_;
};

}  // namespace sluice
