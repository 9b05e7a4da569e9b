// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_sequence.h"

#include <utility>

#include "daemon/rpc/convert_policy.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

// Calls `visit(layer, first_row, kv_heads)` for each layer with its own cache.
template <class Visit>
void ForEachCache(const Model& model, Visit visit) {
  for (int32_t layer = 0; layer < model.layer_count(); ++layer) {
    if (!model.owns_cache(layer)) continue;
    visit(layer, static_cast<size_t>(model.shape(layer).first_row),
          static_cast<size_t>(model.shape(layer).kv_heads));
  }
}

void FillUsage(const SequenceInfo& info, v1::GetSequenceResponse* response) {
  ForEachCache(*info.model, [&](int32_t layer, size_t first_row, size_t kv_heads) {
    v1::LayerUsage* usage = response->add_layers();
    usage->set_layer(layer);
    for (size_t row = first_row; row < first_row + kv_heads; ++row) {
      usage->add_kept_tokens(info.rows[row].kept_tokens);
      usage->add_held_bytes(info.rows[row].held_bytes);
    }
  });
}

}  // namespace

CreateSequence ToCommand(const v1::CreateSequenceRequest& request, const Caller& caller) {
  CreateSequence command;
  command.caller = caller;
  command.model_id = request.model_id();
  command.policy = ToPolicySpec(request.policy());
  command.draft_tokens = request.draft_tokens();
  command.priority = request.priority();
  command.lease = ToDuration(request.lease());
  command.session = request.session_id();
  command.request_id = request.request_id();
  return command;
}

ForkSequences ToCommand(const v1::ForkSequencesRequest& request, const Caller& caller) {
  ForkSequences command;
  command.caller = caller;
  command.parents.assign(request.parents().begin(), request.parents().end());
  command.session = request.session_id();
  command.request_id = request.request_id();
  command.max_wait = ToDuration(request.max_wait());
  return command;
}

FreeSequences ToCommand(const v1::FreeSequencesRequest& request, const Caller& caller) {
  FreeSequences command;
  command.caller = caller;
  command.sequences.assign(request.sequence_ids().begin(), request.sequence_ids().end());
  return command;
}

GetSequence ToCommand(const v1::GetSequenceRequest& request, const Caller& caller) {
  GetSequence command;
  command.caller = caller;
  command.sequence = request.sequence_id();
  return command;
}

MatchPrefix ToCommand(const v1::MatchPrefixRequest& request, const Caller& caller) {
  MatchPrefix command;
  command.caller = caller;
  command.model_id = request.model_id();
  command.policy = ToPolicySpec(request.policy());
  return command;
}

SetPolicy ToCommand(const v1::SetPolicyRequest& request, const Caller& caller) {
  SetPolicy command;
  command.caller = caller;
  command.sequence = request.sequence_id();
  command.policy = ToPolicySpec(request.policy());
  command.max_wait = ToDuration(request.max_wait());
  return command;
}

Compress ToCommand(const v1::CompressRequest& request, const Caller& caller) {
  Compress command;
  command.caller = caller;
  command.sequence = request.sequence_id();
  if (request.has_policy()) command.policy = ToPolicySpec(request.policy());
  if (request.has_budget_tokens()) command.budget_tokens = request.budget_tokens();
  command.dry_run = request.dry_run();
  command.max_wait = ToDuration(request.max_wait());
  return command;
}

ExplainSequence ToCommand(const v1::ExplainSequenceRequest& request, const Caller& caller) {
  ExplainSequence command;
  command.caller = caller;
  command.sequence = request.sequence_id();
  command.layer = request.layer();
  command.kv_head = request.kv_head();
  return command;
}

void FillResponse(SequenceCreated&& created, v1::CreateSequenceResponse* response) {
  response->set_sequence_id(created.sequence);
  response->set_matched_length(created.matched_length);
  FromPolicy(*created.policy, response->mutable_policy());
  if (created.lease > absl::ZeroDuration()) {
    FromDuration(created.lease, response->mutable_lease());
  }
}

void FillResponse(std::vector<uint64_t>&& sequences, v1::ForkSequencesResponse* response) {
  response->mutable_sequence_ids()->Assign(sequences.begin(), sequences.end());
}

void FillResponse(Empty&&, v1::FreeSequencesResponse*) {}

void FillResponse(SequenceInfo&& info, v1::GetSequenceResponse* response) {
  response->set_sequence_id(info.sequence);
  response->set_model_id(info.model_id);
  response->set_length(info.length);
  response->set_rollback_floor(info.rollback_floor);
  FillUsage(info, response);
  response->set_held_bytes(info.held_bytes);
  response->set_bytes_alone(info.bytes_alone);
  FromPolicy(*info.policy, response->mutable_policy());
  if (info.last_job) FromJobReport(*info.last_job, response->mutable_last_job());
  response->set_open_step_id(info.open_step);
  response->set_session_id(info.session);
  if (info.session == 0) FromDuration(info.lease_left, response->mutable_lease_left());
  response->set_lost(info.lost);
}

void FillResponse(int64_t matched_length, v1::MatchPrefixResponse* response) {
  response->set_matched_length(matched_length);
}

void FillResponse(std::shared_ptr<const Policy>&& policy, v1::SetPolicyResponse* response) {
  FromPolicy(*policy, response->mutable_policy());
}

void FillResponse(Compressed&& compressed, v1::CompressResponse* response) {
  ForEachCache(*compressed.model, [&](int32_t layer, size_t first_row, size_t kv_heads) {
    v1::LayerKept* kept = response->add_layers();
    kept->set_layer(layer);
    const auto first = compressed.kept_tokens.begin() + static_cast<std::ptrdiff_t>(first_row);
    kept->mutable_kept_tokens()->Assign(first, first + static_cast<std::ptrdiff_t>(kv_heads));
  });
  response->set_freed_now_bytes(compressed.freed_now_bytes);
  response->set_freed_later_bytes(compressed.freed_later_bytes);
  FromJobReport(compressed.job, response->mutable_job());
}

void FillResponse(Explained&& explained, v1::ExplainSequenceResponse* response) {
  response->mutable_kept_positions()->Assign(explained.kept_positions.begin(),
                                             explained.kept_positions.end());
  response->set_body_token_count(explained.body_tokens);
  response->mutable_scores()->Assign(explained.scores.begin(), explained.scores.end());
  response->set_length(explained.length);
}

}  // namespace sluice
