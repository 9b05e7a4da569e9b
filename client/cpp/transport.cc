// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/transport.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/address.h"
#include "client/cpp/errors.h"

namespace sluice::client {
namespace {

using google::protobuf::MessageLite;

constexpr size_t kMaxNameBytes = 64;
constexpr absl::Duration kMaxTimeout = absl::Hours(24);

// Retried are calls that a second run does not change: those that make something
// carry a request id. Steps are retried by whoever knows the lengths.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [
    {"service": "sluice.v1.KvCache", "method": "GetCapabilities"},
    {"service": "sluice.v1.KvCache", "method": "RegisterModel"},
    {"service": "sluice.v1.KvCache", "method": "CreateSequence"},
    {"service": "sluice.v1.KvCache", "method": "ForkSequences"},
    {"service": "sluice.v1.KvCache", "method": "GetSequence"},
    {"service": "sluice.v1.KvCache", "method": "SetPolicy"},
    {"service": "sluice.v1.KvCache", "method": "ExplainSequence"}],
  "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.05s", "maxBackoff": "1s",
    "backoffMultiplier": 4, "retryableStatusCodes": ["UNAVAILABLE"]}}]})";

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  // Answers are bounded by what was asked for.
  arguments.SetMaxReceiveMessageSize(-1);
  // A restarted daemon on the same host is found again at once.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // Connections are not shared between clients, so that one's end is its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

}  // namespace

absl::Status ToAbsl(const grpc::Status& status, const grpc::ClientContext& context,
                    absl::string_view address) {
  v1::Error error;
  error.set_code(status.error_code());
  error.set_message(status.error_message());
  for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
    AddMetadata({key.data(), key.size()}, {value.data(), value.size()}, &error);
  }
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      error.reason() == v1::REASON_UNSPECIFIED) {
    error.set_message(absl::StrCat("cannot reach sluiced at ", address, ": ", error.message()));
  }
  return FromWire(error);
}

Transport::Transport(ConnectOptions options)
    : options_(std::move(options)),
      process_(getpid()),
      channel_(grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(),
                                         ChannelArguments())) {}

absl::StatusOr<std::shared_ptr<Transport>> Transport::Create(ConnectOptions options) {
  if (options.address.empty()) options.address = DefaultAddress();
  if (absl::Status status = CheckAddress(options.address); !status.ok()) return status;
  const std::string& name = options.client_name;
  if (name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), IsPrintable)) {
    return FieldError("client_name", "must be at most 64 printable ASCII characters");
  }
  if (options.call_timeout <= absl::ZeroDuration()) {
    return FieldError("call_timeout", "must be above zero");
  }
  // Not deleted after a fork: that would wait for threads of the parent.
  const auto unless_forked = [](Transport* transport) {
    if (transport->CheckProcess().ok()) delete transport;
  };
  return std::shared_ptr<Transport>(new Transport(std::move(options)), unless_forked);
}

absl::Status Transport::CheckProcess() const {
  if (getpid() == process_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this client was made by process ", process_,
                   " and does not survive fork(): connect anew in the child"));
}

absl::Status Transport::Call(const std::string& method, const MessageLite& request,
                             MessageLite* response, absl::Duration more_time,
                             bool wait_for_daemon) {
  if (absl::Status status = CheckProcess(); !status.ok()) return status;
  const bool waits = wait_for_daemon && options_.wait_for_daemon > absl::ZeroDuration();
  grpc::ClientContext context;
  context.set_wait_for_ready(waits);
  const absl::Duration timeout =
      std::min(waits ? options_.wait_for_daemon : options_.call_timeout + more_time, kMaxTimeout);
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  grpc::TemplatedGenericStub<MessageLite, MessageLite> stub(channel_);
  grpc::CompletionQueue queue;
  auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::Status status;
  void* tag = nullptr;
  bool ok = false;
  call->Finish(response, &status, nullptr);
  queue.Next(&tag, &ok);
  if (status.ok()) return absl::OkStatus();
  if (waits && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::UnavailableError(absl::StrCat("cannot reach sluiced at ", options_.address,
                                               " within ", absl::FormatDuration(timeout)));
  }
  return ToAbsl(status, context, options_.address);
}

}  // namespace sluice::client
