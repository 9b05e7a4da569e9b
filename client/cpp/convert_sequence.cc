// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/convert_sequence.h"

#include "client/cpp/convert_common.h"
#include "client/cpp/convert_policy.h"

namespace sluice::client {

void ToWire(const ExtraKey& key, v1::ExtraKey* out) {
  out->set_key(key.key);
  out->set_first_position(key.first_position);
  out->set_token_count(key.token_count);
}

void ToWire(const SequenceOptions& options, v1::CreateSequenceRequest* out) {
  out->set_model_id(options.model_id);
  ToWire(options.policy, out->mutable_policy());
  ToWire(options.token_ids, out->mutable_token_ids());
  for (const ExtraKey& key : options.extra_keys) ToWire(key, out->add_extra_keys());
  out->set_draft_tokens(options.draft_tokens);
  out->set_priority(options.priority);
  if (options.lease) ToWire(*options.lease, out->mutable_lease());
  out->set_session_id(options.session_id);
  out->set_accept_partial_scores(options.accept_partial_scores);
}

void ToWire(const CompressOptions& options, v1::CompressRequest* out) {
  if (options.policy) ToWire(*options.policy, out->mutable_policy());
  if (options.budget_tokens) out->set_budget_tokens(*options.budget_tokens);
  out->set_dry_run(options.dry_run);
  if (options.max_wait) ToWire(*options.max_wait, out->mutable_max_wait());
}

SequenceState FromWire(const v1::GetSequenceResponse& response) {
  SequenceState out;
  out.sequence_id = response.sequence_id();
  out.model_id = response.model_id();
  out.length = response.length();
  out.rollback_floor = response.rollback_floor();
  for (const v1::LayerUsage& usage : response.layers()) {
    out.layers.push_back(
        {usage.layer(), FromWire(usage.kept_tokens()), FromWire(usage.held_bytes())});
  }
  out.held_bytes = response.held_bytes();
  out.bytes_alone = response.bytes_alone();
  out.policy = FromWire(response.policy());
  if (response.has_last_job()) out.last_job = FromWire(response.last_job());
  out.open_step_id = response.open_step_id();
  out.session_id = response.session_id();
  if (response.has_lease_left()) out.lease_left = FromWire(response.lease_left());
  out.lost = response.lost();
  return out;
}

CompressResult FromWire(const v1::CompressResponse& response) {
  CompressResult out;
  for (const v1::LayerKept& kept : response.layers()) {
    out.layers.push_back({kept.layer(), FromWire(kept.kept_tokens())});
  }
  out.freed_now_bytes = response.freed_now_bytes();
  out.freed_later_bytes = response.freed_later_bytes();
  out.job = FromWire(response.job());
  return out;
}

Explanation FromWire(const v1::ExplainSequenceResponse& response) {
  return {FromWire(response.kept_positions()), response.body_token_count(),
          FromWire(response.scores()), response.length()};
}

}  // namespace sluice::client
