// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_step.h"

#include <utility>

#include "daemon/rpc/convert_common.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

StepEntry ToEntry(const v1::StepEntry& from) {
  return {.sequence = from.sequence_id(),
          .base_length = from.base_length(),
          .token_count = from.token_count(),
          .phase = from.phase() == v1::PHASE_PREFILL ? Phase::kPrefill : Phase::kDecode,
          .prefill_end = from.prefill_end(),
          .rollback = from.rollback()};
}

void FromEntryState(const StepEntryState& state, v1::StepEntryState* to) {
  to->set_sequence_id(state.sequence);
  to->set_length(state.length);
  to->set_rollback_floor(state.rollback_floor);
}

// An answer is as large as q if v_dim is k_dim; the engine knows, and sizes it anew
// if not. Here a lack of memory is the call's own and not the engine thread's.
void PrepareAnswer(Attend& command) {
  const int64_t query_rows = command.q.shape[0] * command.q.shape[1];
  const int64_t elements = query_rows * command.q.shape[2];
  command.out.resize(static_cast<size_t>(elements * DtypeBytes(command.q.dtype)));
  if (command.want_lse) command.lse.resize(static_cast<size_t>(query_rows) * sizeof(float));
}

}  // namespace

BeginStep ToCommand(const v1::BeginStepRequest& request, const Caller& caller) {
  BeginStep command;
  command.caller = caller;
  command.entries.reserve(static_cast<size_t>(request.entries_size()));
  for (const v1::StepEntry& entry : request.entries()) command.entries.push_back(ToEntry(entry));
  command.append_only = request.append_only();
  command.max_wait = ToDuration(request.max_wait());
  command.leave_out = request.leave_out();
  return command;
}

EndStep ToCommand(const v1::EndStepRequest& request, const Caller& caller) {
  EndStep command;
  command.caller = caller;
  command.step = request.step_id();
  command.abort = request.abort();
  return command;
}

Append ToCommand(const v1::AppendRequest& request, const Caller& caller) {
  Append command;
  command.caller = caller;
  command.step = request.step_id();
  if (request.has_entry()) command.entry = ToEntry(request.entry());
  command.layers.reserve(static_cast<size_t>(request.layers_size()));
  for (const v1::AppendLayer& layer : request.layers()) {
    command.layers.push_back({.layer = layer.layer(),
                              .k = ToTensorRef(layer.k()),
                              .v = ToTensorRef(layer.v())});
    if (layer.has_observation_queries()) {
      command.layers.back().observation_queries = ToTensorRef(layer.observation_queries());
    }
  }
  command.first_token = request.first_token();
  return command;
}

Attend ToCommand(const v1::AttendRequest& request, const Caller& caller) {
  Attend command;
  command.caller = caller;
  command.step = request.step_id();
  for (const v1::SequenceRows& rows : request.sequences().sequences()) {
    command.sequences.push_back({.sequence = rows.sequence_id(), .row_count = rows.row_count()});
  }
  command.layer = request.layer();
  command.first_token = request.first_token();
  command.q = ToTensorRef(request.q());
  if (request.has_k()) command.k = ToTensorRef(request.k());
  if (request.has_v()) command.v = ToTensorRef(request.v());
  command.want_lse = request.want_lse();
  PrepareAnswer(command);
  return command;
}

void FillResponse(StepBegun&& begun, v1::BeginStepResponse* response) {
  response->set_step_id(begun.step);
  for (const StepEntryState& state : begun.entries) {
    FromEntryState(state, response->add_entries());
  }
  for (const LeftOut& left_out : begun.left_out) {
    v1::LeftOut* to = response->add_left_out();
    to->set_entry_index(left_out.entry_index);
    to->set_sequence_id(left_out.sequence);
    to->set_reason(FromReason(left_out.reason));
  }
  FromRoom(begun.room, response->mutable_room());
}

void FillResponse(std::vector<uint64_t>&& lost_sequences, v1::EndStepResponse* response) {
  response->mutable_lost_sequence_ids()->Assign(lost_sequences.begin(), lost_sequences.end());
}

void FillResponse(AppendResult&& result, v1::AppendResponse* response) {
  response->mutable_non_finite()->set_key_value_row_count(result.non_finite_rows);
  response->set_step_closed(result.step_closed);
  if (result.entry) FromEntryState(*result.entry, response->mutable_entry());
}

void FillResponse(AttendResult&& result, v1::AttendResponse* response) {
  v1::Tensor* out = response->mutable_out();
  out->set_dtype(FromDtype(result.dtype));
  out->add_shape(result.rows);
  out->add_shape(result.query_heads);
  out->add_shape(result.v_dim);
  out->set_inline_(std::move(result.out));
  if (!result.lse.empty()) {
    v1::Tensor* lse = response->mutable_lse();
    lse->set_dtype(v1::DTYPE_FP32);
    lse->add_shape(result.rows);
    lse->add_shape(result.query_heads);
    lse->set_inline_(std::move(result.lse));
  }
  v1::NonFiniteCounts* non_finite = response->mutable_non_finite();
  non_finite->set_query_row_count(result.non_finite_query_rows);
  non_finite->set_key_value_row_count(result.non_finite_key_value_rows);
  response->set_step_closed(result.step_closed);
}

}  // namespace sluice
