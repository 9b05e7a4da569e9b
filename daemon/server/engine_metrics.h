// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/engine/command_sink.h"

namespace sluice {

// The engine's numbers, asked for when they are scraped.
//
// Thread-safe. A scrape waits for the engine for a bounded time; without an
// answer only `sluice_engine_answered` 0 is shown.
class EngineMetrics final : public prometheus::Collectable {
 public:
  struct Tenant {
    std::string name;
    int64_t maximum_bytes = 0;
  };

  EngineMetrics(CommandSink* engine, std::vector<Tenant> tenants,
                absl::Duration timeout = absl::Seconds(1))
      : engine_(*engine), tenants_(std::move(tenants)), timeout_(timeout) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  CommandSink& engine_;
  const std::vector<Tenant> tenants_;
  const absl::Duration timeout_;
};

// What the engine answers to GetStatus, or nullopt if it does not within `timeout`.
std::optional<EngineStatus> AskStatus(CommandSink& engine, absl::Duration timeout);

}  // namespace sluice
