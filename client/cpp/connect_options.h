// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"

namespace sluice::client {

// How to reach a daemon.
struct ConnectOptions {
  // `unix:/path` or `host:port`; empty: DefaultAddress().
  std::string address = "";
  // What the client calls itself in lists and logs: at most 64 printable ASCII
  // characters.
  std::string client_name = "sluice-cpp";
  // Every call ends within this time, plus the `max_wait` that it asks for.
  absl::Duration call_timeout = absl::Seconds(30);
  // How long to wait for a daemon that is not there yet, when connecting and
  // when opening a session; zero: do not wait.
  absl::Duration wait_for_daemon = absl::ZeroDuration();
};

}  // namespace sluice::client
