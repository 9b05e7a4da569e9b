// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/call_metrics.h"

#include <algorithm>
#include <limits>
#include <string>

#include "daemon/server/metric_builder.h"

namespace sluice {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

template <class Buckets>
prometheus::ClientMetric::Histogram ToHistogram(const Buckets& buckets, int64_t sum_ns) {
  prometheus::ClientMetric::Histogram histogram;
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    count += static_cast<uint64_t>(buckets[i].load(kRelaxed));
    const bool last = i == CallMetrics::kBucketSeconds.size();
    histogram.bucket.push_back(
        {.cumulative_count = count,
         .upper_bound = last ? std::numeric_limits<double>::infinity()
                             : CallMetrics::kBucketSeconds[i]});
  }
  histogram.sample_count = count;
  histogram.sample_sum = static_cast<double>(sum_ns) * 1e-9;
  return histogram;
}

}  // namespace

void CallMetrics::Started(Method method) {
  started_[static_cast<size_t>(method)].fetch_add(1, kRelaxed);
}

void CallMetrics::Finished(Method method, const absl::Status& status,
                           std::chrono::nanoseconds duration) {
  const auto code = std::min(static_cast<size_t>(status.code()), size_t{kCodeCount - 1});
  Durations& durations = finished_[static_cast<size_t>(method)][code];
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bucket =
      std::lower_bound(kBucketSeconds.begin(), kBucketSeconds.end(), seconds);
  durations.buckets[static_cast<size_t>(bucket - kBucketSeconds.begin())].fetch_add(1, kRelaxed);
  durations.sum_ns.fetch_add(duration.count(), kRelaxed);
  if (status.ok()) return;
  const auto refusal = RefusalOf(status);
  if (refusal) refused_[static_cast<size_t>(refusal->reason)].fetch_add(1, kRelaxed);
}

std::vector<prometheus::MetricFamily> CallMetrics::Collect() const {
  MetricBuilder builder;
  builder.Counter("grpc_server_call_started_total",
                  "Calls begun, and requests of session streams, by method.");
  for (int i = 0; i < kMethodCount; ++i) {
    builder.Value(static_cast<double>(started_[static_cast<size_t>(i)].load(kRelaxed)),
                  {{"grpc_method", std::string(MethodName(static_cast<Method>(i)))}});
  }
  builder.Histogram("grpc_server_call_duration_seconds",
                    "Time from a call's arrival to its answer, by method and status.");
  for (int i = 0; i < kMethodCount; ++i) {
    for (int code = 0; code < kCodeCount; ++code) {
      const Durations& durations = finished_[static_cast<size_t>(i)][static_cast<size_t>(code)];
      auto histogram = ToHistogram(durations.buckets, durations.sum_ns.load(kRelaxed));
      if (code != 0 && histogram.sample_count == 0) continue;
      builder.Distribution(
          std::move(histogram),
          {{"grpc_method", std::string(MethodName(static_cast<Method>(i)))},
           {"grpc_status", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}});
    }
  }
  builder.Counter("sluice_rejected_requests_total", "Calls refused, by reason.");
  for (int i = 0; i < kReasonCount; ++i) {
    builder.Value(static_cast<double>(refused_[static_cast<size_t>(i)].load(kRelaxed)),
                  {{"reason", std::string(ReasonName(static_cast<Reason>(i)))}});
  }
  return builder.Take();
}

}  // namespace sluice
