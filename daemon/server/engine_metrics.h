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

  // `pool`: whose memory the pool lies in, for its label: "host" or "gpu".
  EngineMetrics(CommandSink* engine, std::vector<Tenant> tenants, std::string pool,
                absl::Duration timeout = absl::Seconds(1))
      : engine_(*engine),
        tenants_(std::move(tenants)),
        pool_(std::move(pool)),
        timeout_(timeout) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  CommandSink& engine_;
  const std::vector<Tenant> tenants_;
  const std::string pool_;
  const absl::Duration timeout_;
};

// What the engine answers to GetStatus, or nullopt if it does not within `timeout`.
std::optional<EngineStatus> AskStatus(CommandSink& engine, absl::Duration timeout);

}  // namespace sluice
