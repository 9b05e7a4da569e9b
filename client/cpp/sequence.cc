// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/sequence.h"

#include <utility>

#include "client/cpp/connection.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/convert_policy.h"
#include "client/cpp/convert_sequence.h"

namespace sluice::client {
namespace {

absl::Status NothingHeld() { return absl::FailedPreconditionError("the sequence was given up"); }

}  // namespace

Sequence::~Sequence() { Free().IgnoreError(); }

Sequence::Sequence(Sequence&& other) noexcept = default;

Sequence& Sequence::operator=(Sequence&& other) noexcept {
  if (this == &other) return *this;
  Free().IgnoreError();
  connection_ = std::move(other.connection_);
  id_ = other.id_;
  matched_length_ = other.matched_length_;
  policy_ = std::move(other.policy_);
  return *this;
}

absl::StatusOr<SequenceState> Sequence::Get() const {
  if (!connection_) return NothingHeld();
  v1::GetSequenceRequest request;
  request.set_sequence_id(id_);
  v1::GetSequenceResponse response;
  absl::Status status = connection_->Call("GetSequence", request, &response);
  if (!status.ok()) return status;
  return FromWire(response);
}

absl::Status Sequence::SetPolicy(const Policy& policy, std::optional<absl::Duration> max_wait) {
  if (!connection_) return NothingHeld();
  v1::SetPolicyRequest request;
  request.set_sequence_id(id_);
  ToWire(policy, request.mutable_policy());
  if (max_wait) ToWire(*max_wait, request.mutable_max_wait());
  v1::SetPolicyResponse response;
  absl::Status status =
      connection_->Call("SetPolicy", request, &response, max_wait.value_or(absl::ZeroDuration()));
  if (status.ok()) policy_ = FromWire(response.policy());
  return status;
}

absl::StatusOr<CompressResult> Sequence::Compress(const CompressOptions& options) const {
  if (!connection_) return NothingHeld();
  v1::CompressRequest request;
  ToWire(options, &request);
  request.set_sequence_id(id_);
  v1::CompressResponse response;
  absl::Status status = connection_->Call("Compress", request, &response,
                                          options.max_wait.value_or(absl::ZeroDuration()));
  if (!status.ok()) return status;
  return FromWire(response);
}

absl::StatusOr<Explanation> Sequence::Explain(int32_t layer, int32_t kv_head) const {
  if (!connection_) return NothingHeld();
  v1::ExplainSequenceRequest request;
  request.set_sequence_id(id_);
  request.set_layer(layer);
  request.set_kv_head(kv_head);
  v1::ExplainSequenceResponse response;
  absl::Status status = connection_->Call("ExplainSequence", request, &response);
  if (!status.ok()) return status;
  return FromWire(response);
}

absl::Status Sequence::Free() {
  if (!connection_) return absl::OkStatus();
  v1::FreeSequencesRequest request;
  request.add_sequence_ids(id_);
  v1::FreeSequencesResponse response;
  return std::exchange(connection_, nullptr)->Call("FreeSequences", request, &response);
}

uint64_t Sequence::Release() {
  connection_.reset();
  return id_;
}

}  // namespace sluice::client
