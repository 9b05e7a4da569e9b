// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0

// How an attend of a step runs.

#include <algorithm>
#include <utility>

#include "daemon/engine/calls.h"

namespace sluice {

StepAttendCall::StepAttendCall(Core& core, Steps& steps, StepState& step, Attend command,
                               int64_t rows)
    : core_(core),
      steps_(steps),
      step_(step),
      command_(std::move(command)),
      shape_(step.model->model->shape(command_.layer)) {
  result_ = MakeAttendResult(command_, shape_, rows);
  observe_next_ = step.observed_rows > 0 && step.model->model->owns_cache(command_.layer);
  if (observe_next_ && result_.lse.empty()) {
    lse_.resize(static_cast<size_t>(rows * shape_.q_heads));
  }
  AddParts();
}

// A chunk moves behind the call that brings the last of its tokens.
void StepAttendCall::AddParts() {
  const int64_t begin = command_.first_token;
  const int64_t end = begin + result_.rows;
  if (step_.segments.empty()) {
    parts_.push_back({nullptr, {begin, result_.rows}, false});
    return;
  }
  for (const StepSegment& segment : step_.segments) {
    const int64_t segment_end = segment.first_token + segment.token_count;
    const int64_t from = std::max(begin, segment.first_token);
    const int64_t to = std::min(end, segment_end);
    if (segment.token_count == 0 && begin <= segment.first_token && segment.first_token < end) {
      parts_.push_back({&segment, {from, 0}, segment.inserts});
    } else if (from < to) {
      parts_.push_back({&segment, {from, to - from}, segment.inserts && to == segment_end});
    }
  }
}

const StepView& StepAttendCall::ViewOf(const Part& part) const {
  return part.segment == nullptr ? step_.view : *part.segment->view;
}

void StepAttendCall::CutPart(const Part& part) {
  next_piece_ = 0;
  if (part.segment == nullptr && part.tokens.count == step_.view.total_tokens) {
    pieces_ = PiecesOf(step_, command_.layer);
    return;
  }
  const bool is_step = part.segment == nullptr;
  own_pieces_ = CutPieces(ViewOf(part), shape_,
                          DtypeBytes(step_.model->model->geometry().dtype),
                          is_step ? step_.row_slots : part.segment->row_slots, part.tokens.first,
                          part.tokens.count,
                          is_step ? step_.entry_rules : part.segment->mass_rules);
  pieces_ = own_pieces_;
}

bool StepAttendCall::Next(Operation& operation, int64_t& cost_bytes) {
  trails_ = false;
  if (step_.undoing) return false;
  while (part_ < parts_.size()) {
    const Part& part = parts_[part_];
    if (stage_ == Stage::kAppend) {
      CutPart(part);
      stage_ = Stage::kAttend;
      if (!command_.k.present() || part.tokens.count == 0) continue;
      NextAppend(part, operation, cost_bytes);
      return true;
    }
    if (stage_ == Stage::kAttend) {
      if (next_piece_ < pieces_.size()) {
        NextAttend(part, operation, cost_bytes);
        return true;
      }
      stage_ = Stage::kInsert;
    }
    const bool is_last = part_ + 1 == parts_.size();
    if (is_last && NextObservation(operation, cost_bytes)) return true;
    stage_ = Stage::kAppend;
    ++part_;
    if (!part.inserts) continue;
    trails_ = is_last;
    NextInsert(part, operation, cost_bytes);
    return true;
  }
  return false;
}

void StepAttendCall::NextAppend(const Part& part, Operation& operation, int64_t& cost_bytes) {
  AppendArgs append = MakeAppendArgs(ViewOf(part), shape_, command_.k, command_.v, part.tokens,
                                     command_.first_token);
  append.non_finite_count = &result_.non_finite_key_value_rows;
  operation = append;
  cost_bytes = AppendCost(shape_, part.tokens.count,
                          DtypeBytes(step_.model->model->geometry().dtype));
}

void StepAttendCall::NextAttend(const Part& part, Operation& operation, int64_t& cost_bytes) {
  const Piece& piece = pieces_[next_piece_++];
  AttendArgs attend =
      MakeAttendArgs(command_, shape_, ViewOf(part), piece, command_.first_token, result_);
  if (!lse_.empty()) {
    attend.lse = lse_.data() + (piece.first_token - command_.first_token) * shape_.q_heads;
  }
  if (piece.mass_rule >= 0) {
    attend.accumulate_mass = true;
    attend.mass = step_.mass_rules[static_cast<size_t>(piece.mass_rule)];
    step_.scored_tokens = std::max(step_.scored_tokens, piece.first_token + piece.token_count);
  }
  operation = attend;
  cost_bytes = piece.cost_bytes;
}

void StepAttendCall::NextInsert(const Part& part, Operation& operation, int64_t& cost_bytes) {
  const StepSegment& segment = *part.segment;
  CascadeInsertArgs insert;
  insert.view = segment.view;
  insert.layer = &shape_;
  if (segment.insert_rule >= 0) {
    insert.mass = step_.mass_rules[static_cast<size_t>(segment.insert_rule)];
  }
  const int64_t tokens = std::max<int64_t>(segment.token_count, 1);
  step_.scored_tokens = std::max(step_.scored_tokens, segment.first_token + tokens);
  operation = insert;
  cost_bytes = AppendCost(shape_, tokens, DtypeBytes(step_.model->model->geometry().dtype));
}

bool StepAttendCall::NextObservation(Operation& operation, int64_t& cost_bytes) {
  if (!std::exchange(observe_next_, false)) return false;
  BeginObserving(step_);
  ObserveArgs observe;
  observe.view = &step_.view;
  observe.layer = &shape_;
  observe.q = command_.q.data;
  observe.lse = lse_.empty() ? reinterpret_cast<const float*>(result_.lse.data()) : lse_.data();
  observe.dtype = command_.q.dtype;
  observe.first_token = command_.first_token;
  observe.token_count = result_.rows;
  operation = observe;
  cost_bytes = std::min(step_.observed_rows, result_.rows) * shape_.q_heads * shape_.k_dim *
               DtypeBytes(command_.q.dtype);
  return true;
}

void StepAttendCall::Finished() {
  if (step_.undoing) {
    steps_.CallFinished(step_);
    return command_.done(StepUndone());
  }
  const bool is_last = command_.first_token + result_.rows == step_.view.total_tokens;
  if (is_last && step_.model->model->owns_cache(command_.layer)) {
    steps_.LayerFinished(step_, shape_);
  }
  core_.totals.attended_rows += result_.rows;
  core_.totals.non_finite_rows +=
      result_.non_finite_query_rows + result_.non_finite_key_value_rows;
  result_.step_closed = steps_.CallFinished(step_);
  command_.done(std::move(result_));
}

void StepAttendCall::Dropped() { command_.done(StepUndone()); }

}  // namespace sluice
