// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc/convert_admin.h"

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "daemon/rpc/convert_policy.h"
#include "daemon/rpc/convert_sequence.h"

namespace sluice {
namespace {

std::string TenantName(const ServiceContext& service, int32_t tenant) {
  const auto index = static_cast<size_t>(tenant);
  return index < service.tenant_names.size() ? service.tenant_names[index] : "";
}

double MeanKeptTokens(const SequenceInfo& info) {
  if (info.rows.empty()) return 0;
  double sum = 0;
  for (const RowUsage& row : info.rows) sum += static_cast<double>(row.kept_tokens);
  return sum / static_cast<double>(info.rows.size());
}

void FromSequence(const SequenceInfo& info, const ServiceContext& service,
                  v1::SequenceSummary* to) {
  to->set_sequence_id(info.sequence);
  to->set_tenant(TenantName(service, info.tenant));
  to->set_model_name(info.model->geometry().name);
  to->set_preset(info.policy->spec().preset);
  to->set_length(info.length);
  to->set_mean_kept_tokens(MeanKeptTokens(info));
  to->set_held_bytes(info.held_bytes);
  to->set_session_id(info.session);
  to->set_open_step_id(info.open_step);
  to->set_lost(info.lost);
}

void FromPressure(const PressureStatus& pressure, v1::PoolStatus* to) {
  to->set_high_watermark_bytes(pressure.high_watermark_bytes);
  to->set_low_watermark_bytes(pressure.low_watermark_bytes);
  to->set_under_pressure(pressure.active);
}

void FromPool(const PoolBytes& pool, v1::PoolStatus* to) {
  to->set_total_bytes(pool.total);
  to->set_free_bytes(pool.free);
  to->set_reserved_bytes(pool.reserved);
  to->set_in_use_bytes(pool.in_use);
  to->set_cached_bytes(pool.cached);
  to->set_retired_bytes(pool.retired);
}

void FromTotals(const EngineTotals& totals, v1::Totals* to) {
  to->set_closed_step_count(totals.closed_steps);
  to->set_undone_step_count(totals.undone_steps);
  to->set_token_count(totals.tokens);
  to->set_attended_row_count(totals.attended_rows);
  to->set_refused_call_count(totals.refused_calls);
  to->set_committed_job_count(totals.JobsThatEnded(JobOutcome::kCommitted));
  to->set_evicted_slot_count(totals.evicted_slots);
  to->set_job_freed_bytes(totals.job_freed_bytes);
}

}  // namespace

void FillResponse(std::vector<SequenceInfo>&& sequences, const PageRequest& page,
                  const ServiceContext& service, v1::ListSequencesResponse* response) {
  const auto limit = static_cast<size_t>(page.limit);
  for (size_t i = 0; i < std::min(limit, sequences.size()); ++i) {
    FromSequence(sequences[i], service, response->add_sequences());
  }
  if (sequences.size() > limit) {
    response->set_next_page_token(PageToken(sequences[limit - 1].sequence));
  }
}

InspectSequence ToCommand(const v1::InspectSequenceRequest& request, const Caller& caller) {
  InspectSequence command;
  command.caller = caller;
  command.sequence = request.sequence_id();
  return command;
}

void FillResponse(Inspected&& inspected, const ServiceContext& service,
                  v1::InspectSequenceResponse* response) {
  response->set_tenant(TenantName(service, inspected.info.tenant));
  response->set_model_name(inspected.info.model->geometry().name);
  FillResponse(std::move(inspected.info), response->mutable_sequence());
  if (inspected.plan) FillResponse(*std::move(inspected.plan), response->mutable_plan());
  for (const JobReport& eviction : inspected.evictions) {
    FromJobReport(eviction, response->add_evictions());
  }
}

void FillResponse(std::vector<SessionInfo>&& sessions, const PageRequest& page,
                  std::optional<int32_t> tenant, const ServiceContext& service,
                  v1::ListClientsResponse* response) {
  std::erase_if(sessions, [&](const SessionInfo& session) {
    return session.session <= page.after || (tenant && session.tenant != *tenant);
  });
  std::sort(sessions.begin(), sessions.end(),
            [](const SessionInfo& a, const SessionInfo& b) { return a.session < b.session; });
  const auto idle = service.sessions->IdleTimes();
  const auto limit = static_cast<size_t>(page.limit);
  for (size_t i = 0; i < std::min(limit, sessions.size()); ++i) {
    const SessionInfo& info = sessions[i];
    v1::ClientSummary* to = response->add_clients();
    to->set_session_id(info.session);
    to->set_tenant(TenantName(service, info.tenant));
    to->set_client_name(info.client_name);
    FromDuration(info.age, to->mutable_age());
    const auto found = idle.find(info.session);
    if (found != idle.end()) FromDuration(found->second, to->mutable_idle());
    to->set_sequence_count(info.sequence_count);
    to->set_open_step_count(info.open_step_count);
  }
  if (sessions.size() > limit) {
    response->set_next_page_token(PageToken(sessions[limit - 1].session));
  }
}

ReclaimMemory ToCommand(const v1::ReclaimRequest& request) {
  ReclaimMemory command;
  command.target_bytes = request.target_bytes();
  command.dry_run = request.dry_run();
  return command;
}

// Only blocks that a prefix index keeps can be cached, and nothing indexes prefixes:
// freed_bytes stays 0.
void FillResponse(std::vector<BudgetCut>&& cuts, const ServiceContext& service,
                  v1::ReclaimResponse* response) {
  int64_t expected_bytes = 0;
  for (const BudgetCut& cut : cuts) {
    v1::ReclaimResponse::BudgetCut* to = response->add_cuts();
    to->set_sequence_id(cut.sequence);
    to->set_tenant(TenantName(service, cut.tenant));
    to->set_priority(cut.priority);
    to->set_preset(cut.preset);
    to->set_budget_tokens(cut.budget_tokens);
    to->set_expected_bytes(cut.freed_bytes);
    expected_bytes += cut.freed_bytes;
  }
  response->set_expected_bytes(expected_bytes);
}

void FillResponse(EngineStatus&& status, const ServiceContext& service,
                  v1::GetStatusResponse* response) {
  response->set_version(service.capabilities.version());
  response->set_epoch(service.capabilities.epoch());
  response->set_state(service.draining.load(std::memory_order_relaxed)
                          ? v1::GetStatusResponse::STATE_DRAINING
                          : v1::GetStatusResponse::STATE_SERVING);
  const int64_t start_ns = absl::ToUnixNanos(service.start_time);
  response->mutable_start_time()->set_seconds(start_ns / 1'000'000'000);
  response->mutable_start_time()->set_nanos(static_cast<int32_t>(start_ns % 1'000'000'000));
  FromDuration(absl::Now() - service.start_time, response->mutable_uptime());
  response->set_backend(service.capabilities.backend());
  response->set_arithmetic(service.capabilities.arithmetic());
  FromPool(status.pool, response->mutable_pool());
  FromPressure(status.pressure, response->mutable_pool());
  response->set_model_count(status.models);
  response->set_session_count(status.sessions);
  response->set_sequence_count(status.sequences);
  response->set_open_step_count(status.open_steps);
  response->set_job_count(status.running_jobs);
  FromTotals(status.totals, response->mutable_totals());
}

}  // namespace sluice
