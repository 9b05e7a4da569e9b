// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/calls.h"

#include <algorithm>
#include <utility>

#include "daemon/base/reason.h"

namespace sluice {

absl::Status StepUndone() {
  return Refuse(absl::StatusCode::kAborted, Reason::kUnknownStep, "step_id",
                "the step was undone before the call was finished");
}

int64_t AppendCost(const LayerShape& shape, int64_t rows, int64_t element_bytes) {
  return 2 * rows * shape.kv_heads * (shape.k_dim + shape.v_dim) * element_bytes;
}

AppendArgs MakeAppendArgs(const StepView& view, const LayerShape& shape, const TensorRef& k,
                          const TensorRef& v, TokenRange tokens, int64_t first_row) {
  const int64_t heads = (tokens.first - first_row) * shape.kv_heads;
  AppendArgs append;
  append.view = &view;
  append.layer = &shape;
  append.k = k.data + heads * shape.k_dim * DtypeBytes(k.dtype);
  append.v = v.data + heads * shape.v_dim * DtypeBytes(v.dtype);
  append.k_dtype = k.dtype;
  append.v_dtype = v.dtype;
  append.first_token = tokens.first;
  append.token_count = tokens.count;
  return append;
}

AttendResult MakeAttendResult(Attend& command, const LayerShape& shape, int64_t rows) {
  AttendResult result;
  result.rows = rows;
  result.query_heads = shape.q_heads;
  result.v_dim = shape.v_dim;
  result.dtype = command.q.dtype;
  const int64_t elements = rows * shape.q_heads;
  result.out = std::move(command.out);
  result.out.resize(static_cast<size_t>(elements * shape.v_dim * DtypeBytes(command.q.dtype)));
  if (command.want_lse) {
    result.lse = std::move(command.lse);
    result.lse.resize(static_cast<size_t>(elements) * sizeof(float));
  }
  return result;
}

AttendArgs MakeAttendArgs(const Attend& command, const LayerShape& shape, const StepView& view,
                          const Piece& piece, int64_t first_row, AttendResult& result) {
  const int64_t row = piece.first_token - first_row;
  const int64_t bytes = DtypeBytes(command.q.dtype);
  AttendArgs attend;
  attend.view = &view;
  attend.layer = &shape;
  attend.q = command.q.data + row * shape.q_heads * shape.k_dim * bytes;
  attend.out = result.out.data() + row * shape.q_heads * shape.v_dim * bytes;
  if (!result.lse.empty()) {
    attend.lse = reinterpret_cast<float*>(result.lse.data()) + row * shape.q_heads;
  }
  attend.dtype = command.q.dtype;
  attend.first_token = piece.first_token;
  attend.token_count = piece.token_count;
  attend.non_finite_count = &result.non_finite_query_rows;
  return attend;
}

int64_t ObservationQueriesOf(const OpenEntry& entry) {
  return std::min(entry.sequence->policy->needs().observation_window_tokens,
                  entry.request.token_count);
}

const std::vector<Piece>& PiecesOf(StepState& step, int32_t layer) {
  const Model& model = *step.model->model;
  std::vector<Piece>& pieces = step.pieces[static_cast<size_t>(model.first_alike(layer))];
  if (pieces.empty()) {
    pieces = CutPieces(step.view, model.shape(layer), DtypeBytes(model.geometry().dtype),
                       step.row_slots, 0, step.view.total_tokens, step.entry_rules);
  }
  return pieces;
}

// ---- AppendCall

AppendCall::AppendCall(Core& core, Steps& steps, StepState& step, Append command, int64_t rows)
    : core_(core), steps_(steps), step_(step), command_(std::move(command)), rows_(rows) {}

bool AppendCall::Next(Operation& operation, int64_t& cost_bytes) {
  if (step_.undoing) return false;
  if (NextObservation(operation, cost_bytes)) return true;
  if (next_layer_ == command_.layers.size()) return false;
  const AppendLayer& layer = command_.layers[next_layer_++];
  next_entry_ = 0;
  next_query_ = 0;
  const LayerShape& shape = step_.model->model->shape(layer.layer);
  AppendArgs append =
      MakeAppendArgs(step_.view, shape, layer.k, layer.v, {command_.first_token, rows_},
                     command_.first_token);
  append.non_finite_count = &non_finite_rows_;
  operation = append;
  cost_bytes = AppendCost(shape, rows_, DtypeBytes(step_.model->model->geometry().dtype));
  return true;
}

// An operation takes one entry's queries: those of the entries lie together, without
// the tokens between.
bool AppendCall::NextObservation(Operation& operation, int64_t& cost_bytes) {
  if (next_layer_ == 0) return false;
  const AppendLayer& layer = command_.layers[next_layer_ - 1];
  if (!layer.observation_queries.present()) return false;
  while (next_entry_ < step_.entries.size()) {
    const OpenEntry& entry = step_.entries[next_entry_];
    const ViewEntry& view = step_.view.entries[next_entry_++];
    const int64_t queries = ObservationQueriesOf(entry);
    const int64_t first = std::exchange(next_query_, next_query_ + queries);
    if (queries == 0 || view.observation_list_offset == kNoOffset) continue;
    const LayerShape& shape = step_.model->model->shape(layer.layer);
    const int64_t row_bytes =
        int64_t{shape.q_heads} * shape.k_dim * DtypeBytes(layer.observation_queries.dtype);
    BeginObserving(step_);
    ObserveArgs observe;
    observe.view = &step_.view;
    observe.layer = &shape;
    observe.q = layer.observation_queries.data + first * row_bytes;
    observe.dtype = layer.observation_queries.dtype;
    observe.first_token = view.first_token + view.token_count - queries;
    observe.token_count = queries;
    operation = observe;
    cost_bytes = queries * row_bytes;
    return true;
  }
  return false;
}

void AppendCall::Finished() {
  if (step_.undoing) {
    steps_.CallFinished(step_);
    return command_.done(StepUndone());
  }
  core_.totals.non_finite_rows += non_finite_rows_;
  AppendResult result;
  result.non_finite_rows = non_finite_rows_;
  result.step_closed = steps_.CallFinished(step_);
  command_.done(std::move(result));
}

void AppendCall::Dropped() { command_.done(StepUndone()); }

// ---- SequenceAttendCall

SequenceAttendCall::SequenceAttendCall(Core& core, Steps& steps,
                                       std::vector<SequenceState*> sequences,
                                       TableRange view_range, Attend command, int64_t rows)
    : core_(core),
      steps_(steps),
      sequences_(std::move(sequences)),
      view_range_(view_range),
      command_(std::move(command)) {
  auto* const entries = core_.tables.Entries(view_range_);
  std::vector<int64_t> row_slots;
  int64_t first_token = 0;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    ++sequences_[i]->readers;
    ViewEntry entry = core_.EntryOf(*sequences_[i]);
    entry.token_count = static_cast<int32_t>(command_.sequences[i].row_count);
    entry.base_length -= entry.token_count;
    entry.first_token = first_token;
    first_token += entry.token_count;
    entries[i] = entry;
    row_slots.push_back(core_.RowSlotsOf(entry, *sequences_[i]));
  }
  view_ = {entries, static_cast<int32_t>(sequences_.size()), first_token};
  const Model& model = *sequences_[0]->model->model;
  const LayerShape& shape = model.shape(command_.layer);
  result_ = MakeAttendResult(command_, shape, rows);
  pieces_ = CutPieces(view_, shape, DtypeBytes(model.geometry().dtype),
                      row_slots, 0, rows);
}

bool SequenceAttendCall::Next(Operation& operation, int64_t& cost_bytes) {
  if (next_piece_ == pieces_.size()) return false;
  const Piece& piece = pieces_[next_piece_++];
  const LayerShape& shape = sequences_[0]->model->model->shape(command_.layer);
  operation = MakeAttendArgs(command_, shape, view_, piece, 0, result_);
  cost_bytes = piece.cost_bytes;
  return true;
}

void SequenceAttendCall::Finished() {
  core_.totals.attended_rows += result_.rows;
  core_.totals.non_finite_rows += result_.non_finite_query_rows;
  core_.tables.Free(view_range_);
  for (SequenceState* sequence : sequences_) steps_.ReaderFinished(*sequence);
  command_.done(std::move(result_));
}

// ---- ExplainCall

ExplainCall::ExplainCall(Core& core, Steps& steps, SequenceState& sequence,
                         TableRange entry_range, ExplainSequence command, int64_t slots,
                         int64_t body_slots)
    : core_(core),
      steps_(steps),
      sequence_(sequence),
      entry_range_(entry_range),
      command_(std::move(command)),
      body_slots_(body_slots),
      length_(core.cached(sequence).length()),
      positions_(static_cast<size_t>(slots)),
      row_offsets_{0, RoundUp(slots, 32)} {
  if (sequence_.policy->scorer() == Scorer::kKeyNorm) key_norms_.resize(positions_.size());
  if (sequence_.policy->scorer() == Scorer::kAccumulated &&
      core_.cached(sequence_).scores().has_value()) {
    gathered_.resize(static_cast<size_t>(row_offsets_[1]));
  }
  ++sequence_.readers;
  auto* const entry = core_.tables.Entries(entry_range_);
  *entry = core_.EntryOf(sequence_);
  if (sequence_.cascade == nullptr) return;
  WriteCascade(core_, sequence_, reinterpret_cast<std::byte*>(entry + 1), *entry);
}

ExportArgs ExplainCall::Read() {
  ExportArgs read;
  read.rows.entry = static_cast<const ViewEntry*>(core_.tables.At(entry_range_));
  read.rows.first_row = sequence_.model->model->shape(command_.layer).first_row + command_.kv_head;
  read.rows.row_count = 1;
  read.rows.row_offsets = row_offsets_;
  read.slots = static_cast<int64_t>(positions_.size());
  read.positions = positions_.data();
  if (!key_norms_.empty()) read.key_norms = key_norms_.data();
  return read;
}

// As a job reads them.
MoveScoresArgs ExplainCall::Gather() {
  MoveScoresArgs gather;
  gather.rows = Read().rows;
  gather.destination_offsets = row_offsets_;
  gather.destination = gathered_.data();
  if (sequence_.policy->spec().normalise == ScoreNormalise::kMean) {
    gather.seen_below = length_;
    gather.window = sequence_.model->model->shape(command_.layer).window;
  }
  return gather;
}

bool ExplainCall::Next(Operation& operation, int64_t& cost_bytes) {
  // Another policy may have come in between, and gathers none.
  if (submitted_ == 1 && !core_.cached(sequence_).scores().has_value()) gathered_.clear();
  if (submitted_ == (gathered_.empty() ? 1 : 2) || positions_.empty()) return false;
  if (submitted_++ == 0) {
    operation = Read();
  } else {
    operation = Gather();
  }
  cost_bytes = static_cast<int64_t>(positions_.size() * sizeof(int32_t));
  return true;
}

void ExplainCall::Finished() {
  Explained explained;
  explained.kept_positions.assign(positions_.begin(), positions_.end());
  explained.body_tokens = body_slots_;
  explained.length = length_;
  if (!gathered_.empty()) gathered_.resize(positions_.size());
  explained.scores = std::move(gathered_);
  for (const float norm : key_norms_) explained.scores.push_back(-norm);
  core_.tables.Free(entry_range_);
  steps_.ReaderFinished(sequence_);
  command_.done(std::move(explained));
}

}  // namespace sluice
