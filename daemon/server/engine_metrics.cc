// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/engine_metrics.h"

#include <array>
#include <memory>
#include <utility>

#include "daemon/server/metric_builder.h"
#include "daemon/server/once_value.h"

namespace sluice {
namespace {

// In the order of JobOutcome.
constexpr std::array<const char*, 6> kOutcomes = {"committed", "nothing_to_evict", "cancelled",
                                                  "skipped",   "dry_run",          "running"};
// In the order of Trigger.
constexpr std::array<const char*, 4> kTriggers = {"prefill_end", "every", "pressure", "request"};

double D(int64_t value) { return static_cast<double>(value); }

void AddPool(const PoolBytes& pool, const std::string& place, MetricBuilder& builder) {
  builder.Gauge("sluice_pool_bytes", "Bytes of the pool by state; they add up to its capacity.");
  for (const auto& [state, bytes] : {std::pair{"free", pool.free},
                                     {"reserved", pool.reserved},
                                     {"in_use", pool.in_use},
                                     {"cached", pool.cached},
                                     {"retired", pool.retired}}) {
    builder.Value(D(bytes), {{"pool", place}, {"state", state}});
  }
  builder.Gauge("sluice_pool_capacity_bytes", "Bytes of the pool.")
      .Value(D(pool.total), {{"pool", place}});
  builder
      .Gauge("sluice_cache_usage_ratio",
             "Share of the pool in pages of sequences; a job's new pages count from its commit.")
      .Value(pool.total == 0 ? 0 : D(pool.in_use) / D(pool.total),
             {{"pool", place}});
}

void AddPressure(const PressureStatus& pressure, const std::string& place,
                 MetricBuilder& builder) {
  builder
      .Gauge("sluice_pool_watermark_bytes",
             "Reserved and used bytes from which on sequences give budget, and at which that ends.")
      .Value(D(pressure.high_watermark_bytes), {{"pool", place}, {"mark", "high"}})
      .Value(D(pressure.low_watermark_bytes), {{"pool", place}, {"mark", "low"}});
  builder.Gauge("sluice_pool_under_pressure", "Whether sequences give budget now.")
      .Value(pressure.active ? 1 : 0, {{"pool", place}});
}

void AddCounts(const EngineStatus& status, MetricBuilder& builder) {
  builder.Gauge("sluice_models", "Registered models.").Value(D(status.models));
  builder.Gauge("sluice_sessions", "Open sessions.").Value(D(status.sessions));
  builder.Gauge("sluice_sequences", "Sequences.").Value(D(status.sequences));
  builder.Gauge("sluice_open_steps", "Open steps.").Value(D(status.open_steps));
  builder.Gauge("sluice_running_jobs", "Jobs that run or wait.").Value(D(status.running_jobs));
  builder.Gauge("sluice_worker_queue_length", "Calls that wait.")
      .Value(D(status.queued_commands), {{"queue", "engine"}});
  builder.Gauge("sluice_table_bytes", "Bytes for lists of pages, by state.")
      .Value(D(status.table_bytes - status.table_used_bytes), {{"state", "free"}})
      .Value(D(status.table_used_bytes), {{"state", "in_use"}});
}

void AddTotals(const EngineTotals& totals, MetricBuilder& builder) {
  builder.Counter("sluice_steps_total", "Steps that ended, by outcome.")
      .Value(D(totals.closed_steps), {{"outcome", "closed"}})
      .Value(D(totals.undone_steps), {{"outcome", "undone"}});
  builder.Counter("sluice_stored_tokens_total", "Tokens of closed steps.").Value(D(totals.tokens));
  builder.Counter("sluice_attended_rows_total", "Query rows attended, counted a layer.")
      .Value(D(totals.attended_rows));
  builder.Counter("sluice_non_finite_rows_total", "Rows that came with NaN or Inf.")
      .Value(D(totals.non_finite_rows));
}

using PresetTotals = std::vector<std::pair<std::string, EngineTotals>>;

void AddJobs(const PresetTotals& by_preset, MetricBuilder& builder) {
  builder.Counter("sluice_jobs_total", "Jobs that ended, by policy, trigger and outcome.");
  for (const auto& [preset, totals] : by_preset) {
    for (size_t trigger = 0; trigger < kTriggers.size(); ++trigger) {
      for (size_t outcome = 0; outcome < kOutcomes.size(); ++outcome) {
        if (outcome == static_cast<size_t>(JobOutcome::kRunning)) continue;
        builder.Value(D(totals.jobs_by_trigger[trigger][outcome]),
                      {{"policy", preset},
                       {"trigger", kTriggers[trigger]},
                       {"outcome", kOutcomes[outcome]}});
      }
    }
  }
  builder.Counter("sluice_job_slots_total", "Slots that committed jobs looked at, by their fate.");
  for (const auto& [preset, totals] : by_preset) {
    builder.Value(D(totals.kept_slots), {{"policy", preset}, {"fate", "kept"}})
        .Value(D(totals.evicted_slots), {{"policy", preset}, {"fate", "evicted"}});
  }
  builder.Counter("sluice_job_evicted_mass_share_sum",
                  "Shares of attention mass that jobs evicted, added up, by policy.");
  for (const auto& [preset, totals] : by_preset) {
    builder.Value(totals.evicted_mass_share_sum, {{"policy", preset}});
  }
  builder.Counter("sluice_job_evicted_mass_share_count",
                  "Jobs that told what share of attention mass they evicted, by policy.");
  for (const auto& [preset, totals] : by_preset) {
    builder.Value(D(totals.measured_jobs), {{"policy", preset}});
  }
  builder.Counter("sluice_job_freed_bytes_total", "Bytes that jobs gave back, by policy.");
  for (const auto& [preset, totals] : by_preset) {
    builder.Value(D(totals.job_freed_bytes), {{"policy", preset}});
  }
}

void AddTenants(const EngineStatus& status, const std::vector<EngineMetrics::Tenant>& tenants,
                MetricBuilder& builder) {
  builder.Gauge("sluice_tenant_used_bytes", "Bytes that a tenant holds.");
  for (size_t i = 0; i < tenants.size() && i < status.tenant_used_bytes.size(); ++i) {
    builder.Value(D(status.tenant_used_bytes[i]), {{"tenant", tenants[i].name}});
  }
  builder.Gauge("sluice_tenant_max_bytes", "Bytes that a tenant may hold.");
  for (const EngineMetrics::Tenant& tenant : tenants) {
    builder.Value(D(tenant.maximum_bytes), {{"tenant", tenant.name}});
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> EngineMetrics::Collect() const {
  const std::optional<EngineStatus> status = AskStatus(engine_, timeout_);
  MetricBuilder builder;
  builder.Gauge("sluice_engine_answered", "Whether the engine answered this scrape in time.")
      .Value(status.has_value() ? 1 : 0);
  if (!status) return builder.Take();
  AddPool(status->pool, pool_, builder);
  AddPressure(status->pressure, pool_, builder);
  AddCounts(*status, builder);
  AddTotals(status->totals, builder);
  AddJobs(status->by_preset, builder);
  AddTenants(*status, tenants_, builder);
  return builder.Take();
}

std::optional<EngineStatus> AskStatus(CommandSink& engine, absl::Duration timeout) {
  const auto answer = std::make_shared<OnceValue<absl::StatusOr<EngineStatus>>>();
  GetStatus command;
  command.done = [answer](absl::StatusOr<EngineStatus> status) { answer->Set(std::move(status)); };
  if (!engine.Post(std::move(command)).ok()) return std::nullopt;
  std::optional<absl::StatusOr<EngineStatus>> status = answer->WaitFor(timeout);
  if (!status || !status->ok()) return std::nullopt;
  return **std::move(status);
}

}  // namespace sluice
