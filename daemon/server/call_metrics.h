// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "daemon/base/reason.h"
#include "daemon/rpc/call_observer.h"

namespace sluice {

// Counts calls by method and status, how long they took, and refusals by reason.
//
// Thread-safe, without locks: a call costs a few relaxed additions. Of a method's
// statuses only OK and those that have occurred are shown.
class CallMetrics final : public CallObserver, public prometheus::Collectable {
 public:
  // Upper bounds of the buckets; one more takes the rest.
  static constexpr std::array<double, 12> kBucketSeconds = {
      20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 20e-3, 100e-3, 1, 10};

  void Started(Method method) override;
  void Finished(Method method, const absl::Status& status,
                std::chrono::nanoseconds duration) override;
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  static constexpr int kCodeCount = 17;
  struct Durations {
    std::array<std::atomic<int64_t>, kBucketSeconds.size() + 1> buckets{};
    std::atomic<int64_t> sum_ns{0};
  };

  std::array<std::atomic<int64_t>, kMethodCount> started_{};
  std::array<std::array<Durations, kCodeCount>, kMethodCount> finished_{};
  std::array<std::atomic<int64_t>, kReasonCount> refused_{};
};

}  // namespace sluice
