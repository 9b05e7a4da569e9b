// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/admin.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/convert_common.h"
#include "client/cpp/convert_policy.h"
#include "client/cpp/convert_sequence.h"
#include "client/cpp/errors.h"
#include "client/cpp/transport.h"
#include "sluice/v1/admin.pb.h"

namespace sluice::client {
namespace {

constexpr int64_t kMaxPageSize = 1000;
constexpr int32_t kServing = 1;  // grpc.health.v1.HealthCheckResponse.SERVING

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    return BadAnswer("it has no form in JSON");
  }
  return json;
}

PoolStatus FromWire(const v1::PoolStatus& pool) {
  return {pool.total_bytes(),  pool.free_bytes(),   pool.reserved_bytes(),
          pool.in_use_bytes(), pool.cached_bytes(), pool.retired_bytes()};
}

Totals FromWire(const v1::Totals& totals) {
  return {totals.closed_step_count(),  totals.undone_step_count(),  totals.token_count(),
          totals.attended_row_count(), totals.refused_call_count(), totals.committed_job_count(),
          totals.evicted_slot_count(), totals.job_freed_bytes()};
}

SequenceSummary FromWire(const v1::SequenceSummary& summary) {
  SequenceSummary out;
  out.sequence_id = summary.sequence_id();
  out.tenant = summary.tenant();
  out.model_name = summary.model_name();
  out.preset = summary.preset();
  out.length = summary.length();
  out.mean_kept_tokens = summary.mean_kept_tokens();
  out.held_bytes = summary.held_bytes();
  out.session_id = summary.session_id();
  out.open_step_id = summary.open_step_id();
  out.lost = summary.lost();
  return out;
}

}  // namespace

Admin::Admin(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {}

Admin::~Admin() = default;

absl::StatusOr<std::unique_ptr<Admin>> Admin::Create(const ConnectOptions& options) {
  auto transport = Transport::Create(options);
  if (!transport.ok()) return transport.status();
  return std::unique_ptr<Admin>(new Admin(*std::move(transport)));
}

absl::StatusOr<DaemonStatus> Admin::GetStatus() {
  v1::GetStatusResponse response;
  absl::Status status = transport_->Call("/sluice.v1.Admin/GetStatus", v1::GetStatusRequest(),
                                         &response, absl::ZeroDuration(), /*wait_for_daemon=*/true);
  if (!status.ok()) return status;
  DaemonStatus out;
  out.version = response.version();
  out.epoch = response.epoch();
  out.draining = response.state() == v1::GetStatusResponse::STATE_DRAINING;
  out.uptime = client::FromWire(response.uptime());
  out.backend = response.backend();
  out.arithmetic = response.arithmetic();
  out.pool = FromWire(response.pool());
  out.model_count = response.model_count();
  out.session_count = response.session_count();
  out.sequence_count = response.sequence_count();
  out.open_step_count = response.open_step_count();
  out.job_count = response.job_count();
  out.totals = FromWire(response.totals());
  auto json = ToJson(response);
  if (!json.ok()) return json.status();
  out.json = *std::move(json);
  return out;
}

absl::StatusOr<SequenceList> Admin::ListSequences(int64_t max_count) {
  if (max_count < 1) return FieldError("max_count", "must be at least 1");
  v1::ListSequencesResponse all;
  while (true) {
    v1::ListSequencesRequest request;
    const int64_t missing = max_count - all.sequences_size();
    request.set_page_size(static_cast<int32_t>(std::min(missing, kMaxPageSize)));
    request.set_page_token(all.next_page_token());
    v1::ListSequencesResponse page;
    absl::Status status = transport_->Call("/sluice.v1.Admin/ListSequences", request, &page);
    if (!status.ok()) return status;
    const bool is_last = page.next_page_token().empty() || page.sequences().empty();
    all.clear_next_page_token();
    all.MergeFrom(page);
    if (is_last || all.sequences_size() >= max_count) break;
  }
  SequenceList out;
  out.is_complete = all.next_page_token().empty();
  for (const v1::SequenceSummary& summary : all.sequences()) {
    out.sequences.push_back(FromWire(summary));
  }
  auto json = ToJson(all);
  if (!json.ok()) return json.status();
  out.json = *std::move(json);
  return out;
}

absl::StatusOr<SequenceInspection> Admin::InspectSequence(uint64_t sequence_id) {
  v1::InspectSequenceRequest request;
  request.set_sequence_id(sequence_id);
  v1::InspectSequenceResponse response;
  absl::Status status = transport_->Call("/sluice.v1.Admin/InspectSequence", request, &response);
  if (!status.ok()) return status;
  SequenceInspection out;
  out.tenant = response.tenant();
  out.model_name = response.model_name();
  out.state = client::FromWire(response.sequence());
  if (response.has_plan()) out.plan = client::FromWire(response.plan());
  for (const v1::JobReport& eviction : response.evictions()) {
    out.evictions.push_back(client::FromWire(eviction));
  }
  auto json = ToJson(response);
  if (!json.ok()) return json.status();
  out.json = *std::move(json);
  return out;
}

absl::StatusOr<ReclaimResult> Admin::Reclaim(int64_t target_bytes, bool dry_run) {
  v1::ReclaimRequest request;
  request.set_target_bytes(target_bytes);
  request.set_dry_run(dry_run);
  v1::ReclaimResponse response;
  absl::Status status = transport_->Call("/sluice.v1.Admin/Reclaim", request, &response);
  if (!status.ok()) return status;
  ReclaimResult out;
  out.freed_bytes = response.freed_bytes();
  out.expected_bytes = response.expected_bytes();
  for (const v1::ReclaimResponse::BudgetCut& cut : response.cuts()) {
    out.cuts.push_back({cut.sequence_id(), cut.tenant(), cut.priority(), cut.preset(),
                        cut.budget_tokens(), cut.expected_bytes()});
  }
  auto json = ToJson(response);
  if (!json.ok()) return json.status();
  out.json = *std::move(json);
  return out;
}

absl::Status Admin::Drain(std::optional<absl::Duration> timeout) {
  v1::DrainRequest request;
  if (timeout) ToWire(*timeout, request.mutable_timeout());
  v1::DrainResponse response;
  return transport_->Call("/sluice.v1.Admin/Drain", request, &response);
}

absl::Status Admin::CheckHealth() {
  // grpc.health.v1 has no generated code here; its two messages are on the wire
  // what these are: the service's name, and the state as a number.
  const google::protobuf::StringValue request;
  google::protobuf::Int32Value response;
  absl::Status status =
      transport_->Call("/grpc.health.v1.Health/Check", request, &response, absl::ZeroDuration(),
                       /*wait_for_daemon=*/true);
  if (!status.ok()) return status;
  if (response.value() == kServing) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("sluiced is there but not serving (health state ", response.value(), ")"));
}

}  // namespace sluice::client
