// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/engine/sessions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/base/logging.h"
#include "daemon/base/reason.h"
#include "daemon/engine/job.h"

namespace sluice {
namespace {

constexpr int64_t kLeasesPerSlice = 64;

}  // namespace

void Sessions::Open(OpenSession command) {
  absl::Status status;
  if (core_.draining) status = Draining();
  if (static_cast<int64_t>(core_.sessions.size()) >= core_.options.max_sessions) {
    status = Refuse(absl::StatusCode::kResourceExhausted, Reason::kTenantQuota, "",
                    absl::StrCat("there are ", core_.options.max_sessions, " sessions"));
  }
  if (!status.ok()) {
    ++core_.totals.refused_calls;
    return command.done(std::move(status));
  }
  auto session = std::make_unique<SessionState>();
  session->id = core_.NewId();
  session->tenant = command.caller.tenant;
  session->client_name = std::move(command.client_name);
  session->opened = core_.now();
  const uint64_t id = session->id;
  core_.sessions[id] = std::move(session);
  command.done(id);
}

void Sessions::Close(CloseSession command) {
  const auto found = core_.sessions.find(command.session);
  if (found == core_.sessions.end()) return;
  std::vector<StepState*> steps;
  for (const auto& [id, step] : core_.steps) {
    if (step->session == command.session) steps.push_back(step.get());
  }
  for (StepState* step : steps) steps_.Undo(*step);
  std::vector<SequenceState*> owned;
  for (const auto& [id, sequence] : core_.sequences) {
    if (sequence->session == command.session && !sequence->free_when_idle) {
      owned.push_back(sequence.get());
    }
  }
  for (SequenceState* sequence : owned) sequences_.Release(*sequence);
  core_.sessions.erase(command.session);
  core_.waiting.Changed();  // its calls wait for nothing any more
}

void Sessions::List(ListSessions command) {
  std::vector<SessionInfo> list;
  for (const auto& [id, session] : core_.sessions) {
    list.push_back({id, session->tenant, session->client_name, core_.now() - session->opened,
                    session->sequences, session->open_steps});
  }
  command.done(std::move(list));
}

void Sessions::Status(GetStatus command, int64_t queued_commands,
                      const PressureStatus& pressure) {
  EngineStatus status;
  status.pool = core_.cache.pool_bytes();
  status.pool.total += core_.memory.workspace_bytes;
  status.pool.reserved += core_.memory.workspace_bytes;
  status.pressure = pressure;
  status.pressure.high_watermark_bytes += core_.memory.workspace_bytes;
  status.pressure.low_watermark_bytes += core_.memory.workspace_bytes;
  status.table_bytes = core_.tables.size_bytes();
  status.table_used_bytes = core_.tables.used_bytes();
  status.models = static_cast<int64_t>(core_.models.size());
  status.sessions = static_cast<int64_t>(core_.sessions.size());
  status.sequences = static_cast<int64_t>(core_.sequences.size());
  status.open_steps = static_cast<int64_t>(core_.steps.size());
  status.running_jobs = jobs_.count();
  status.queued_commands = queued_commands;
  status.giving_back = core_.cache.reclaim_pending();
  for (size_t tenant = 0; tenant < core_.options.tenants.size(); ++tenant) {
    status.tenant_used_bytes.push_back(
        core_.cache.tenants().usage(TenantId{static_cast<uint32_t>(tenant)}).bytes);
  }
  for (const auto& [preset, totals] : core_.totals_by_preset) {
    status.by_preset.emplace_back(preset, totals);
  }
  status.totals = core_.totals;
  command.done(std::move(status));
}

void Sessions::Drain(struct Drain command) {
  core_.draining = true;
  core_.waiting.Changed();
  drain_answers_.push_back(std::move(command.done));
}

bool Sessions::PumpDrain() {
  if (drain_answers_.empty() || !core_.steps.empty() || !core_.dispatcher.idle()) return false;
  for (const auto& answer : std::exchange(drain_answers_, {})) answer(Empty());
  return true;
}

bool Sessions::ExpireLeases(absl::Duration now) {
  if (core_.leases.NextDeadline() > now) return false;
  for (const uint64_t id : core_.leases.Expire(now, kLeasesPerSlice)) {
    if (const auto step = core_.steps.find(id); step != core_.steps.end()) {
      if (step->second->call_running && !step->second->undoing) {
        core_.leases.Set(id, now + core_.options.step_time_limit);  // the wait is not the client's
        continue;
      }
      LogWarning("step_expired", {{"step", absl::StrCat(id)}});
      steps_.Undo(*step->second);
    } else if (const auto found = core_.sequences.find(id); found != core_.sequences.end()) {
      SequenceState& sequence = *found->second;
      // A step has its own limit, and who waits is not to blame for the wait.
      const bool is_compressed = sequence.job != nullptr && sequence.job->answer;
      if (sequence.step != nullptr || sequence.waiting_calls > 0 || is_compressed) {
        core_.RenewLease(sequence);
      } else if (!sequence.free_when_idle) {
        LogInfo("sequence_expired", {{"sequence", absl::StrCat(id)}});
        sequences_.Release(sequence);
      }
    }
  }
  return true;
}

}  // namespace sluice
