// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/endpoint.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sluice {
namespace {

constexpr int kHandshakeTimeoutMs = 5'000;
constexpr int kMaxConcurrentStreams = 1'024;
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kMinPingIntervalMs = 5'000;
constexpr int kMaxPingStrikes = 2;
constexpr char kLiveness[] = "liveness";
constexpr const char* kServiceNames[] = {"", "sluice.v1.KvCache", "sluice.v1.Admin"};

void SetArguments(const EndpointOptions& options, grpc::ServerBuilder& builder) {
  if (options.message_bytes > 0) {
    builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes));
  }
  builder.SetMaxSendMessageSize(-1);
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, int>>{
           {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs},
           {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams},
           {GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs},
           {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs},
           {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
           {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinPingIntervalMs},
           {GRPC_ARG_HTTP2_MAX_PING_STRIKES, kMaxPingStrikes},
           {GRPC_ARG_ALLOW_REUSEPORT, 0},
       }) {
    builder.AddChannelArgument(name, value);
  }
}

}  // namespace

struct Endpoint::State {
  EndpointOptions options;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  bool shut_down = false;
};

Endpoint::Endpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}

Endpoint::~Endpoint() {
  if (!state_->shut_down) Shutdown(absl::ZeroDuration());
}

absl::StatusOr<std::unique_ptr<Endpoint>> Endpoint::Start(EndpointOptions options) {
  grpc::EnableDefaultHealthCheckService(true);
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  grpc::ServerBuilder builder;
  SetArguments(state->options, builder);
  for (const auto& service : state->options.services) builder.RegisterService(service.get());
  const std::string& address = state->options.tcp_address;
  if (address.empty()) {
    state->acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
  } else {
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &state->port);
  }
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || (!address.empty() && state->port == 0)) {
    return absl::UnavailableError(
        address.empty() ? "gRPC cannot start a server"
                        : absl::StrCat("cannot listen on ", address, "; is the port taken?"));
  }
  std::unique_ptr<Endpoint> endpoint(new Endpoint(std::move(state)));
  endpoint->SetServing(false);
  return endpoint;
}

void Endpoint::HandOver(UniqueFd connection) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = -1;
  parameters.fd = connection.Release();
  state_->acceptor->HandleNewConnection(&parameters);
}

void Endpoint::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = state_->server->GetHealthCheckService();
  for (const char* name : kServiceNames) health->SetServingStatus(name, serving);
  health->SetServingStatus(kLiveness, true);
}

void Endpoint::Shutdown(absl::Duration timeout) {
  state_->shut_down = true;
  state_->server->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
}

int Endpoint::port() const { return state_->port; }

void KeepGrpcRunning() { grpc_init(); }

}  // namespace sluice
