// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include <prometheus/text_serializer.h>

#include <regex>
#include <set>

#include "daemon/rpc/call_observer.h"
#include "daemon/server/call_metrics.h"
#include "daemon/server/engine_metrics.h"
#include "daemon/server/process_metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/rpc/fake_engine.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string Text(const prometheus::Collectable& collectable) {
  return prometheus::TextSerializer().Serialize(collectable.Collect());
}

// Answers GetStatus at once, or keeps silent.
class StatusEngine final : public CommandSink {
 public:
  absl::Status Post(Command command) override {
    if (answers) std::get<GetStatus>(command).done(status);
    return absl::OkStatus();
  }

  bool answers = true;
  EngineStatus status;
};

TEST(CallMetricsTest, CountsByMethodStatusAndReason) {
  CallMetrics metrics;
  metrics.Started(Method::kAttend);
  metrics.Finished(Method::kAttend, absl::OkStatus(), std::chrono::microseconds(60));
  metrics.Finished(Method::kAttend, RefuseField("q", "must be set"), std::chrono::seconds(20));
  const std::string text = Text(metrics);
  EXPECT_THAT(text, HasSubstr(
      "grpc_server_call_started_total{grpc_method=\"sluice.v1.KvCache/Attend\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{grpc_method=\"sluice.v1.KvCache/Attend\",grpc_status=\"OK\","
                              "le=\"5e-05\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("_bucket{grpc_method=\"sluice.v1.KvCache/Attend\",grpc_status=\"OK\","
                              "le=\"0.0001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("_count{grpc_method=\"sluice.v1.KvCache/Attend\","
                              "grpc_status=\"INVALID_ARGUMENT\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_rejected_requests_total{reason=\"FIELD_INVALID\"} 1\n"));
}

TEST(CallMetricsTest, EveryMethodAndReasonIsThereFromTheStart) {
  const std::string text = Text(CallMetrics());
  for (int i = 0; i < kMethodCount; ++i) {
    EXPECT_THAT(text, HasSubstr("started_total{grpc_method=\"" +
                                std::string(MethodName(static_cast<Method>(i))) + "\"} 0\n"));
  }
  EXPECT_THAT(text, HasSubstr("sluice_rejected_requests_total{reason=\"POOL_FULL\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("INVALID_ARGUMENT")));
}

TEST(CallMetricsTest, MethodNamesAreDistinct) {
  std::set<std::string> names;
  for (int i = 0; i < kMethodCount; ++i) {
    names.insert(std::string(MethodName(static_cast<Method>(i))));
  }
  EXPECT_EQ(names.size(), kMethodCount);
}

TEST(EngineMetricsTest, ShowPoolTenantsAndJobs) {
  StatusEngine engine;
  engine.status.pool.total = 100;
  engine.status.pool.free = 40;
  engine.status.pool.in_use = 30;
  engine.status.pool.cached = 20;
  engine.status.pressure = {90, 80, true};
  engine.status.tenant_used_bytes = {30};
  EngineTotals totals;
  totals.jobs_by_trigger[static_cast<size_t>(Trigger::kEvery)]
                        [static_cast<size_t>(JobOutcome::kCommitted)] = 3;
  totals.evicted_slots = 7;
  totals.measured_jobs = 2;
  totals.evicted_mass_share_sum = 0.25;
  engine.status.by_preset = {{"l2norm", totals}};
  const std::string text =
      Text(EngineMetrics(&engine, {{.name = "default", .maximum_bytes = 99}}, "gpu"));
  for (const char* line :
       {"sluice_engine_answered 1\n", "sluice_pool_bytes{pool=\"gpu\",state=\"in_use\"} 30\n",
        "sluice_cache_usage_ratio{pool=\"gpu\"} 0.3\n",
        "sluice_pool_watermark_bytes{pool=\"gpu\",mark=\"high\"} 90\n",
        "sluice_pool_watermark_bytes{pool=\"gpu\",mark=\"low\"} 80\n",
        "sluice_pool_under_pressure{pool=\"gpu\"} 1\n",
        "sluice_jobs_total{policy=\"l2norm\",trigger=\"every\",outcome=\"committed\"} 3\n",
        "sluice_job_slots_total{policy=\"l2norm\",fate=\"evicted\"} 7\n",
        "sluice_job_evicted_mass_share_sum{policy=\"l2norm\"} 0.25\n",
        "sluice_job_evicted_mass_share_count{policy=\"l2norm\"} 2\n",
        "sluice_tenant_used_bytes{tenant=\"default\"} 30\n",
        "sluice_tenant_max_bytes{tenant=\"default\"} 99\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(EngineMetricsTest, ASilentEngineIsSaidToBeSilent) {
  StatusEngine engine;
  engine.answers = false;
  const std::string text = Text(EngineMetrics(&engine, {}, "host", absl::Milliseconds(1)));
  EXPECT_THAT(text, HasSubstr("sluice_engine_answered 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("sluice_pool_bytes")));
}

TEST(MetricsTest, NamesAreStableAndDescribed) {
  StatusEngine engine;
  ConnectionTable connections(1, 1);
  std::set<std::string> names;
  const auto collect = [&names](const prometheus::Collectable& collectable) {
    for (const auto& family : collectable.Collect()) {
      EXPECT_TRUE(names.insert(family.name).second) << family.name << " twice";
      EXPECT_FALSE(family.help.empty()) << family.name;
      EXPECT_TRUE(std::regex_match(family.name, std::regex("[a-z_]+"))) << family.name;
    }
  };
  collect(CallMetrics());
  collect(EngineMetrics(&engine, {}, "host"));
  collect(ProcessMetrics({"1.2.3", "cpu", "fp32"}, absl::Now(), &connections));
  EXPECT_THAT(names, IsSupersetOf({"sluice_pool_capacity_bytes", "sluice_sequences",
                                   "sluice_sessions", "sluice_open_steps", "sluice_jobs_total",
                                   "sluice_non_finite_rows_total", "sluice_build_info",
                                   "sluice_start_time_seconds", "process_resident_memory_bytes",
                                   "sluice_connections", "sluice_connections_rejected_total"}));
}

TEST(ProcessMetricsTest, KnowThisProcess) {
  ConnectionTable connections(1, 1);
  const std::string text =
      Text(ProcessMetrics({"1.2.3", "cpu", "fp32"}, absl::Now(), &connections));
  EXPECT_THAT(text, HasSubstr("sluice_build_info{version=\"1.2.3\",backend=\"cpu\","
                              "arithmetic=\"fp32\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(text, Not(HasSubstr("process_open_fds 0\n")));
}

}  // namespace
}  // namespace sluice
