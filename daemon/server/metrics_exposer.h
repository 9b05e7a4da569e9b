// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace sluice {

// Serves /metrics over HTTP as long as it lives.
//
// Thread-compatible. Scrapes run on threads of the HTTP server.
class MetricsExposer {
 public:
  // UNAVAILABLE: `address` cannot be bound; the message names the flag.
  static absl::StatusOr<std::unique_ptr<MetricsExposer>> Start(
      const std::string& address,
      std::vector<std::shared_ptr<prometheus::Collectable>> collectables);
  // Waits for a scrape that runs.
  ~MetricsExposer();

  int port() const;

 private:
  MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer,
                 std::vector<std::shared_ptr<prometheus::Collectable>> collectables);

  // The exposer refers to the collectables: gone first.
  const std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace sluice
