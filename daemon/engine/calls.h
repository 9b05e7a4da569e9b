// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/engine/core.h"
#include "daemon/engine/pieces.h"
#include "daemon/engine/steps.h"

namespace sluice {

// The calls as the dispatcher runs them. What their operations point to is
// theirs (or the command's, which they keep) until Finished.

// Some of a step's tokens.
struct TokenRange {
  int64_t first = 0;
  int64_t count = 0;
};

// Stores layers of a step, and the queries that came for rings of observation rows.
class AppendCall final : public Call {
 public:
  AppendCall(Core& core, Steps& steps, StepState& step, Append command, int64_t rows);
  bool Next(Operation& operation, int64_t& cost_bytes) override;
  void Finished() override;
  void Dropped() override;

 private:
  bool NextObservation(Operation& operation, int64_t& cost_bytes);

  Core& core_;
  Steps& steps_;
  StepState& step_;
  Append command_;
  const int64_t rows_;
  size_t next_layer_ = 0;
  // Of the layer before: the next entry whose queries may be kept, and its first.
  size_t next_entry_ = 0;
  int64_t next_query_ = 0;
  int64_t non_finite_rows_ = 0;
};

// Attends over a layer of a step, after storing k and v if they came, adds to the scores
// that its entries keep, and keeps the query rows for which there are rings. Segment by
// segment: what is full of an entry under a cascade moves into its body before the next.
class StepAttendCall final : public Call {
 public:
  StepAttendCall(Core& core, Steps& steps, StepState& step, Attend command, int64_t rows);
  bool Next(Operation& operation, int64_t& cost_bytes) override;
  bool trails() const override { return trails_; }
  void Finished() override;
  void Dropped() override;

 private:
  // What the call brings of a segment of the step; `segment` null: of the whole step.
  struct Part {
    const StepSegment* segment = nullptr;
    TokenRange tokens;
    bool inserts = false;
  };
  enum class Stage : uint8_t { kAppend, kAttend, kInsert };

  void AddParts();
  void CutPart(const Part& part);
  const StepView& ViewOf(const Part& part) const;
  void NextAppend(const Part& part, Operation& operation, int64_t& cost_bytes);
  void NextAttend(const Part& part, Operation& operation, int64_t& cost_bytes);
  void NextInsert(const Part& part, Operation& operation, int64_t& cost_bytes);
  bool NextObservation(Operation& operation, int64_t& cost_bytes);

  Core& core_;
  Steps& steps_;
  StepState& step_;
  Attend command_;
  const LayerShape& shape_;
  AttendResult result_;
  std::vector<Part> parts_;  // in order
  size_t part_ = 0;
  Stage stage_ = Stage::kAppend;
  std::vector<Piece> own_pieces_;  // of a part of the tokens
  std::span<const Piece> pieces_;  // of the part: these, or the step's
  size_t next_piece_ = 0;
  bool observe_next_;
  bool trails_ = false;
  std::vector<float> lse_;  // [rows, q_heads] for the rings, where the caller wants none
};

// Attends over named sequences; keeps them from changing meanwhile.
class SequenceAttendCall final : public Call {
 public:
  // REQUIRES: `view_range` has room for an entry a sequence.
  SequenceAttendCall(Core& core, Steps& steps, std::vector<SequenceState*> sequences,
                     TableRange view_range, Attend command, int64_t rows);
  bool Next(Operation& operation, int64_t& cost_bytes) override;
  void Finished() override;
  void Dropped() override {}

 private:
  Core& core_;
  Steps& steps_;
  std::vector<SequenceState*> sequences_;
  TableRange view_range_;
  Attend command_;
  StepView view_;
  AttendResult result_;
  std::vector<Piece> pieces_;
  size_t next_piece_ = 0;
};

// Reads the kept positions of one row, and their scores.
class ExplainCall final : public Call {
 public:
  ExplainCall(Core& core, Steps& steps, SequenceState& sequence, TableRange entry_range,
              ExplainSequence command, int64_t slots, int64_t body_slots);
  bool Next(Operation& operation, int64_t& cost_bytes) override;
  void Finished() override;
  void Dropped() override {}

 private:
  ExportArgs Read();
  MoveScoresArgs Gather();

  Core& core_;
  Steps& steps_;
  SequenceState& sequence_;
  TableRange entry_range_;
  ExplainSequence command_;
  const int64_t body_slots_;
  const int64_t length_;  // as the positions are: it may change until the end
  std::vector<int32_t> positions_;
  std::vector<float> key_norms_;  // [positions], or empty: the policy scores by something else
  std::vector<float> gathered_;   // [row_offsets_[1]], or empty: the sequence gathers none
  int64_t row_offsets_[2];
  int32_t submitted_ = 0;  // operations
};

// ABORTED: what a call of a step that was undone is told.
absl::Status StepUndone();

// What storing `rows` tokens of a layer costs, in bytes.
int64_t AppendCost(const LayerShape& shape, int64_t rows, int64_t element_bytes);

// The operation that stores some tokens of k and v, which begin with token `first_row`.
AppendArgs MakeAppendArgs(const StepView& view, const LayerShape& shape, const TensorRef& k,
                          const TensorRef& v, TokenRange tokens, int64_t first_row);

// The last queries of an entry that a call may bring for its observation rows.
int64_t ObservationQueriesOf(const OpenEntry& entry);

// What an attend over all tokens of a step is cut into in `layer`; worked out
// once for layers that are alike.
const std::vector<Piece>& PiecesOf(StepState& step, int32_t layer);

// Takes the tensors of an attend's answer from the command, and sizes them.
AttendResult MakeAttendResult(Attend& command, const LayerShape& shape, int64_t rows);

// The operation for one piece of an attend; `first_row` is the token that the
// call's tensors begin with.
AttendArgs MakeAttendArgs(const Attend& command, const LayerShape& shape, const StepView& view,
                          const Piece& piece, int64_t first_row, AttendResult& result);

}  // namespace sluice
