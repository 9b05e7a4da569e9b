// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/engine/command_sink.h"
#include "daemon/rpc/capabilities.h"
#include "sluice/config/v1/config.pb.h"

namespace sluice {

// What the server has to know of the engine behind `CommandSink`.
struct ServerOptions {
  uint32_t epoch = 0;
  std::string backend;
  std::string page_layout;
  std::vector<PolicyPtr> presets;
  // Admin.Drain was called.
  std::function<void(std::optional<absl::Duration>)> on_drain_request;
};

// All that clients meet: listeners, services, health, metrics, drain.
//
// Thread-compatible. The engine outlives every call: after Drain it may end first.
class Server {
 public:
  // Takes every address that the configuration (from MakeConfig) names, and logs
  // each, so that a daemon that comes second ends before it has taken anything
  // else. Clients that connect wait; health says NOT_SERVING. Errors name the
  // address and, where there is one, the flag.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(config::v1::Config config);

  // Serves all of them from now on. Errors as Listen. REQUIRES: called once.
  absl::Status Serve(ServerOptions options, CommandSink* engine);

  // Cuts off what still runs.
  ~Server();

  // Ends gracefully: health says NOT_SERVING; sessions, sequences and steps are
  // refused; what is open may finish, and sessions are told. Returns after
  // `timeout` at the latest, but for calls that the engine still has.
  void Drain(absl::Duration timeout);

  // The port that the system chose for `listen.tcp_address`; 0: none.
  int tcp_port() const;
  // The same of `listen.metrics_address`.
  int metrics_port() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// The daemon's version, "major.minor.patch".
const char* DaemonVersion();

}  // namespace sluice
