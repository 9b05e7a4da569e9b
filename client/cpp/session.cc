// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/session.h"

#include <utility>

#include "client/cpp/append_call.h"
#include "client/cpp/attend_call.h"
#include "client/cpp/connection.h"
#include "client/cpp/convert_step.h"
#include "client/cpp/errors.h"
#include "client/cpp/session_stream.h"

namespace sluice::client {

Session::Session(std::shared_ptr<Connection> connection, std::shared_ptr<SessionStream> stream)
    : connection_(std::move(connection)), stream_(std::move(stream)) {}

Session::~Session() { stream_->Close(); }

absl::StatusOr<std::shared_ptr<SessionStream>> Session::Open(
    const std::shared_ptr<Connection>& connection) {
  auto stream = SessionStream::Open(connection);
  if (!stream.ok() || (*stream)->epoch() == connection->epoch()) return stream;
  // Another life of the daemon may have other limits.
  const auto capabilities = connection->FetchCapabilities(/*wait_for_daemon=*/false);
  if (!capabilities.ok()) return capabilities.status();
  return stream;
}

std::shared_ptr<SessionStream> Session::stream() const {
  std::lock_guard<std::mutex> lock(mu_);
  return stream_;
}

uint64_t Session::id() const { return stream()->id(); }
uint64_t Session::epoch() const { return stream()->epoch(); }
absl::Status Session::status() const { return stream()->status(); }
bool Session::draining() const { return stream()->draining(); }

absl::Status Session::Reconnect() {
  if (absl::Status status = connection_->transport().CheckProcess(); !status.ok()) return status;
  std::lock_guard<std::mutex> one_at_a_time(reconnect_mu_);
  if (stream()->Ping().ok()) return absl::OkStatus();
  stream()->Close();
  auto opened = Open(connection_);
  if (!opened.ok()) return opened.status();
  std::lock_guard<std::mutex> lock(mu_);
  stream_ = *std::move(opened);
  return absl::OkStatus();
}

absl::StatusOr<Step> Session::BeginStep(std::span<const StepEntry> entries,
                                        const StepOptions& options) {
  std::shared_ptr<SessionStream> stream = this->stream();
  v1::SessionRequest request;
  ToWire(entries, options, request.mutable_begin_step());
  v1::SessionResponse response;
  absl::Status status =
      stream->Call(&request, &response, options.max_wait.value_or(absl::ZeroDuration()));
  if (!status.ok()) return status;
  if (!response.has_begin_step()) return BadAnswer("no `begin_step` to the request `begin_step`");
  return Step(std::move(stream), FromWire(response.begin_step()));
}

absl::StatusOr<std::vector<uint64_t>> Session::AbortStep(uint64_t step_id) {
  return client::AbortStep(stream().get(), step_id);
}

absl::StatusOr<AppendResult> Session::Append(const StepEntry& entry,
                                             std::span<const AppendLayer> layers) {
  return AppendAsStep(stream().get(), entry, layers);
}

absl::StatusOr<AttendResult> Session::Attend(std::span<const SequenceRows> sequences,
                                             const AttendInput& input, const AttendOutput& output) {
  return AttendCall(input, output).OnSequences(stream().get(), sequences);
}

}  // namespace sluice::client
