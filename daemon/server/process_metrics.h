// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/server/connection_table.h"

namespace sluice {

// What of the process and its connections is worth watching, read when scraped.
//
// Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  struct Build {
    std::string version;
    std::string backend;
    std::string arithmetic;  // the one in force
  };

  ProcessMetrics(Build build, absl::Time start_time, ConnectionTable* connections)
      : build_(std::move(build)), start_time_(start_time), connections_(*connections) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Build build_;
  const absl::Time start_time_;
  ConnectionTable& connections_;
};

}  // namespace sluice
