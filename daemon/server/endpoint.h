// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "daemon/base/unique_fd.h"

namespace grpc {
class Service;
}

namespace sluice {

struct EndpointOptions {
  std::vector<std::shared_ptr<grpc::Service>> services;  // besides grpc.health.v1
  std::string tcp_address;   // empty: connections are handed over
  int64_t message_bytes = 0;  // 0: gRPC's default
  bool reflection = false;
};

// One gRPC server for those who come by one listener. Each listener has its own,
// so that a service knows by itself who calls: gRPC tells a handler nothing of a
// Unix connection.
//
// Thread-safe.
class Endpoint {
 public:
  // UNAVAILABLE: the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<Endpoint>> Start(EndpointOptions options);

  // Shuts down at once if Shutdown has not been called.
  ~Endpoint();

  // Serves `connection`, a connected stream socket. REQUIRES: no tcp_address.
  void HandOver(UniqueFd connection);

  // What grpc.health.v1 says of "" and of the services, NOT_SERVING at first; of
  // "liveness" it says SERVING until the end.
  void SetServing(bool serving);

  // Refuses new calls, and returns when those that run have ended, or have been
  // cancelled after `timeout`.
  void Shutdown(absl::Duration timeout);

  // The TCP port; 0 without one.
  int port() const;

 private:
  struct State;
  explicit Endpoint(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// From now on the last endpoint's end does not end the gRPC library, which can
// wait 10 s for a thread that looks after large writes. Its threads run until the
// process ends: by _Exit, since they use its static objects.
void KeepGrpcRunning();

}  // namespace sluice
