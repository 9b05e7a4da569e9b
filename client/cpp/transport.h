// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/connect_options.h"

namespace google::protobuf {
class MessageLite;
}
namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace sluice::client {

// A channel to one daemon, which reconnects by itself. Internal: the only file
// besides session_stream.cc that knows gRPC.
//
// Thread-safe. In a child that fork() made it refuses every call, and leaves its
// channel alone when destroyed: gRPC's threads are the parent's.
class Transport {
 public:
  // INVALID_ARGUMENT: the address or client name is malformed, or the timeout
  // not above zero. Does not connect yet.
  static absl::StatusOr<std::shared_ptr<Transport>> Create(ConnectOptions options);

  // Calls `method` ("/package.Service/Method") and waits. `more_time` extends
  // the call's time limit. With `wait_for_daemon` the call waits for the daemon
  // as long as the options say. Errors are those of the daemon, with their
  // details; UNAVAILABLE where it cannot be reached.
  absl::Status Call(const std::string& method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response,
                    absl::Duration more_time = absl::ZeroDuration(), bool wait_for_daemon = false);

  // FAILED_PRECONDITION in a process that did not make this object.
  absl::Status CheckProcess() const;

  const ConnectOptions& options() const { return options_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  explicit Transport(ConnectOptions options);

  const ConnectOptions options_;
  const pid_t process_;
  const std::shared_ptr<grpc::Channel> channel_;
};

// The end of a call, with the details of its trailing metadata.
absl::Status ToAbsl(const grpc::Status& status, const grpc::ClientContext& context,
                    absl::string_view address);

}  // namespace sluice::client
