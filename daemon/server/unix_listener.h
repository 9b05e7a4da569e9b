// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "daemon/base/unique_fd.h"
#include "daemon/server/connection_table.h"

namespace sluice {

// Accepts connections of one Unix socket on a thread of its own, in gRPC's
// place: gRPC's own loop stops for good once it runs out of descriptors. Here it
// backs off and goes on.
//
// Thread-compatible; the handler is called on the listener's thread.
class UnixListener {
 public:
  // Takes over a connection.
  using Handler = std::function<void(UniqueFd connection)>;

  // Listens at `path`; errors as ListenUnix. Nothing is accepted before Start.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Create(std::string path, mode_t mode,
                                                              ConnectionTable* connections);

  // Stops, and removes the socket's file.
  ~UnixListener();

  // REQUIRES: called once.
  void Start(Handler handler);

  // Accepts no more. The handler does not run any more when it returns.
  void Stop();

  const std::string& path() const { return path_; }

 private:
  UnixListener(std::string path, UniqueFd socket, UniqueFd stop, ConnectionTable* connections);

  void Run();
  // False once Stop has been called.
  bool WaitForConnection();
  // Waits a moment for descriptors to come back; false once Stop has been called.
  bool BackOff();
  void Take(UniqueFd connection);

  const std::string path_;
  const UniqueFd socket_;
  const UniqueFd stop_;  // an eventfd
  ConnectionTable* const connections_;
  Handler handler_;
  std::thread thread_;
};

}  // namespace sluice
