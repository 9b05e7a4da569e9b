// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "daemon/engine/command_sink.h"
#include "daemon/rpc/call_count.h"
#include "daemon/rpc/call_observer.h"
#include "daemon/rpc/session_table.h"
#include "daemon/rpc/validate_common.h"
#include "sluice/v1/kv_cache.pb.h"

namespace sluice {

// What the services share, for the daemon's life.
//
// Set before the first call and then constant, but for the flag and the count. Shared by the
// services and by what they leave with the engine: a call may end after its
// server. Engine and sessions outlive the server.
struct ServiceContext {
  CommandSink* engine = nullptr;
  std::shared_ptr<CallObserver> observer;
  SessionTable* sessions = nullptr;
  RequestRules rules;
  int64_t calls_per_session = 64;
  int64_t message_bytes = int64_t{64} << 20;
  absl::Duration heartbeat_limit = absl::Seconds(10);
  v1::GetCapabilitiesResponse capabilities;
  std::vector<std::string> tenant_names;  // by number
  absl::Time start_time;
  // Begins the daemon's end; the argument is the time that calls get, if given.
  std::function<void(std::optional<absl::Duration>)> drain;
  std::atomic<bool> draining{false};
  mutable CallCount calls;
};

// Who comes by one listener.
struct ListenerIdentity {
  int32_t tenant = 0;
  bool admin = false;  // sees all tenants, and may steer the daemon
};

}  // namespace sluice
