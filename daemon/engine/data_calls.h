// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "daemon/engine/core.h"
#include "daemon/engine/steps.h"

namespace sluice {

// The calls that move tensors: append, attend, explain. Checks them against
// their step or sequences and hands their work to the dispatcher.
//
// Not thread-safe: owned by the engine thread. Nothing waits.
class DataCalls {
 public:
  DataCalls(Core& core, Steps& steps) : core_(core), steps_(steps) {}

  void Append(struct Append command);
  void Attend(struct Attend command);
  void Explain(ExplainSequence command);

 private:
  absl::Status CheckAppendLayer(const struct Append& command, size_t index,
                                const ModelState& model, std::span<const OpenEntry> entries,
                                int64_t rows) const;
  absl::Status CheckAppendLayers(const struct Append& command, const ModelState& model,
                                 std::span<const OpenEntry> entries, int64_t rows) const;
  absl::Status CheckOwnStep(const struct Append& command) const;
  absl::Status CheckRange(const StepState& step, int64_t had, int64_t first_token, int64_t rows,
                          const char* what) const;
  void AppendOwnStep(struct Append command);
  absl::Status TryAppend(struct Append& command);
  absl::StatusOr<int64_t> CheckAttendTensors(const struct Attend& command,
                                             const ModelState& model) const;
  absl::Status CheckAttendOrder(const struct Attend& command, const StepState& step,
                                int64_t rows) const;
  absl::Status TryAttendStep(struct Attend& command);
  absl::StatusOr<WaitList::Outcome> TryAttendSequences(struct Attend& command);
  template <class Command>
  void RunOnceIdle(Command command,
                   absl::StatusOr<WaitList::Outcome> (DataCalls::*attempt)(Command&));
  static bool WaitsForJob(SequenceState& sequence, const Caller& caller);
  absl::Status CheckReadable(const SequenceState& sequence, const std::string& field) const;
  absl::StatusOr<WaitList::Outcome> TryExplain(ExplainSequence& command);
  void CountLayer(StepState& step, int32_t layer) const;

  Core& core_;
  Steps& steps_;
};

}  // namespace sluice
