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
  static absl::StatusOr<std::unique_ptr<MetricsExposer>> Start(const std::string& address);
  // Waits for a scrape that runs.
  ~MetricsExposer();

  // Shows them besides the HTTP server's own. REQUIRES: called once at most.
  void Show(std::vector<std::shared_ptr<prometheus::Collectable>> collectables);

  int port() const;

 private:
  explicit MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer);

  // The exposer refers to the collectables: gone first.
  std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace sluice
