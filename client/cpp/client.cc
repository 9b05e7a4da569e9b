// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/client.h"

#include <utility>

#include "client/cpp/connection.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/convert_model.h"
#include "client/cpp/convert_policy.h"
#include "client/cpp/convert_sequence.h"
#include "client/cpp/errors.h"
#include "client/cpp/session_stream.h"
#include "client/cpp/transport.h"

namespace sluice::client {

Client::Client(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ConnectOptions& options) {
  auto transport = Transport::Create(options);
  if (!transport.ok()) return transport.status();
  auto connection = std::make_shared<Connection>(*std::move(transport));
  const auto capabilities = connection->FetchCapabilities(/*wait_for_daemon=*/true);
  if (!capabilities.ok()) return capabilities.status();
  return std::unique_ptr<Client>(new Client(std::move(connection)));
}

absl::StatusOr<Capabilities> Client::GetCapabilities() {
  const auto response = connection_->FetchCapabilities(/*wait_for_daemon=*/false);
  if (!response.ok()) return response.status();
  return FromWire(*response);
}

absl::StatusOr<RegisteredModel> Client::RegisterModel(const ModelGeometry& geometry,
                                                      absl::string_view expected_fingerprint) {
  v1::RegisterModelRequest request;
  ToWire(geometry, request.mutable_geometry());
  request.set_expected_fingerprint(std::string(expected_fingerprint));
  v1::RegisterModelResponse response;
  absl::Status status = connection_->Call("RegisterModel", request, &response);
  if (!status.ok()) return status;
  return RegisteredModel{response.model_id(), response.fingerprint(), response.block_bytes()};
}

absl::StatusOr<Sequence> Client::CreateSequence(const SequenceOptions& options) {
  v1::CreateSequenceRequest request;
  ToWire(options, &request);
  request.set_request_id(NewRequestId());
  v1::CreateSequenceResponse response;
  absl::Status status = connection_->Call("CreateSequence", request, &response);
  if (!status.ok()) return status;
  Sequence sequence = Adopt(response.sequence_id());
  sequence.matched_length_ = response.matched_length();
  sequence.policy_ = FromWire(response.policy());
  return sequence;
}

absl::StatusOr<std::vector<Sequence>> Client::ForkSequences(
    std::span<const uint64_t> parents, uint64_t session_id,
    std::optional<absl::Duration> max_wait) {
  v1::ForkSequencesRequest request;
  ToWire(parents, request.mutable_parents());
  request.set_session_id(session_id);
  request.set_request_id(NewRequestId());
  if (max_wait) ToWire(*max_wait, request.mutable_max_wait());
  v1::ForkSequencesResponse response;
  absl::Status status = connection_->Call("ForkSequences", request, &response,
                                          max_wait.value_or(absl::ZeroDuration()));
  if (!status.ok()) return status;
  std::vector<Sequence> copies;
  for (const uint64_t id : response.sequence_ids()) copies.push_back(Adopt(id));
  if (copies.size() != parents.size()) return BadAnswer("not one copy for each parent");
  return copies;
}

absl::Status Client::FreeSequences(std::span<const uint64_t> sequence_ids) {
  v1::FreeSequencesRequest request;
  ToWire(sequence_ids, request.mutable_sequence_ids());
  v1::FreeSequencesResponse response;
  return connection_->Call("FreeSequences", request, &response);
}

Sequence Client::Adopt(uint64_t sequence_id) { return Sequence(connection_, sequence_id); }

absl::StatusOr<std::unique_ptr<Session>> Client::OpenSession() {
  auto stream = Session::Open(connection_);
  if (!stream.ok()) return stream.status();
  return std::unique_ptr<Session>(new Session(connection_, *std::move(stream)));
}

}  // namespace sluice::client
