// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/server.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/logging.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/admin_service.h"
#include "daemon/rpc/kv_cache_service.h"
#include "daemon/rpc/service_context.h"
#include "daemon/server/call_metrics.h"
#include "daemon/server/config_options.h"
#include "daemon/server/connection_table.h"
#include "daemon/server/endpoint.h"
#include "daemon/server/engine_metrics.h"
#include "daemon/server/metrics_exposer.h"
#include "daemon/server/once_value.h"
#include "daemon/server/periodic_thread.h"
#include "daemon/server/process_metrics.h"
#include "daemon/server/tcp_port.h"
#include "daemon/server/unix_listener.h"

namespace sluice {
namespace {

constexpr mode_t kTenantSocketMode = 0660;
constexpr mode_t kAdminSocketMode = 0600;
constexpr absl::Duration kLongestCheck = absl::Seconds(1);
// What of the time to drain is left for telling sessions and closing connections.
constexpr double kFarewellShare = 0.1;
// A connection without calls goes when its client agrees, which one that sleeps does
// seconds later; no longer than this.
constexpr absl::Duration kLongestFarewell = absl::Milliseconds(200);

}  // namespace

const char* DaemonVersion() { return SLUICE_VERSION; }

class Server::Impl {
 public:
  explicit Impl(config::v1::Config config)
      : config_(std::move(config)),
        sessions_(config_.limits().sessions()),
        connections_(config_.limits().connections(), config_.limits().connections_per_user()) {}

  ~Impl() { Stop(absl::ZeroDuration()); }

  absl::Status Listen();
  absl::Status Serve(ServerOptions options, CommandSink* engine);
  void Drain(absl::Duration timeout);
  int tcp_port() const { return tcp_port_; }
  int metrics_port() const { return exposer_ == nullptr ? 0 : exposer_->port(); }

 private:
  // A Unix socket, and who comes by it.
  struct Socket {
    ListenerIdentity identity;
    std::unique_ptr<UnixListener> listener;
  };

  void FillContext(ServerOptions options);
  std::string TenantName(const ListenerIdentity& identity) const;
  absl::StatusOr<Endpoint*> AddEndpoint(const ListenerIdentity& identity, std::string tcp_address);
  absl::Status ListenUnixSocket(const std::string& path, mode_t mode,
                                const ListenerIdentity& identity);
  absl::Status ListenHealth(const std::string& address);
  absl::Status ListenMetrics(const std::string& address);
  absl::Status ServeUnixSocket(const Socket& socket);
  absl::Status ServeTcp(const std::string& address);
  void ShowMetrics();
  void Stop(absl::Duration timeout);

  const config::v1::Config config_;
  CommandSink* engine_ = nullptr;
  SessionTable sessions_;
  ConnectionTable connections_;
  const std::shared_ptr<CallMetrics> call_metrics_ = std::make_shared<CallMetrics>();
  const std::shared_ptr<ServiceContext> context_ = std::make_shared<ServiceContext>();
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<Socket> sockets_;
  std::unique_ptr<PeriodicThread> timer_;
  std::unique_ptr<MetricsExposer> exposer_;
  int tcp_port_ = 0;
  bool stopped_ = false;
};

absl::Status Server::Impl::Listen() {
  for (int i = 0; i < config_.tenants_size(); ++i) {
    SLUICE_RETURN_IF_ERROR(
        ListenUnixSocket(config_.tenants(i).socket_path(), kTenantSocketMode, {.tenant = i}));
  }
  const config::v1::Listen& listen = config_.listen();
  if (const std::string& path = listen.admin_socket_path(); !path.empty()) {
    SLUICE_RETURN_IF_ERROR(ListenUnixSocket(path, kAdminSocketMode, {.admin = true}));
  }
  // gRPC takes the port and serves it in one: it is only looked at until then.
  if (!listen.tcp_address().empty()) {
    SLUICE_RETURN_IF_ERROR(CheckPortIsFree(listen.tcp_address()));
  }
  if (!listen.health_address().empty()) {
    SLUICE_RETURN_IF_ERROR(ListenHealth(listen.health_address()));
  }
  return listen.metrics_address().empty() ? absl::OkStatus()
                                          : ListenMetrics(listen.metrics_address());
}

absl::Status Server::Impl::Serve(ServerOptions options, CommandSink* engine) {
  // A malformed request is its sender's to hear of, not a line in the log.
  google::protobuf::SetLogHandler(nullptr);
  engine_ = engine;
  FillContext(std::move(options));
  for (const Socket& socket : sockets_) SLUICE_RETURN_IF_ERROR(ServeUnixSocket(socket));
  if (const std::string& address = config_.listen().tcp_address(); !address.empty()) {
    SLUICE_RETURN_IF_ERROR(ServeTcp(address));
  }
  if (exposer_ != nullptr) ShowMetrics();
  timer_ = std::make_unique<PeriodicThread>(
      "sluice-timer", std::min(context_->heartbeat_limit / 10, kLongestCheck),
      [this] { sessions_.EndIdle(context_->heartbeat_limit); });
  for (const auto& endpoint : endpoints_) endpoint->SetServing(true);
  return absl::OkStatus();
}

void Server::Impl::FillContext(ServerOptions options) {
  const config::v1::Limits& limits = config_.limits();
  context_->engine = engine_;
  context_->observer = call_metrics_;
  context_->sessions = &sessions_;
  context_->rules = {.epoch = options.epoch,
                     .inline_tensor_bytes = limits.inline_tensor_bytes(),
                     .step_entries = limits.step_entries(),
                     .sequence_tokens = limits.sequence_tokens()};
  context_->calls_per_session = limits.calls_per_session();
  context_->message_bytes = limits.message_bytes();
  context_->heartbeat_limit = ToDuration(config_.heartbeat_limit());
  context_->capabilities = MakeCapabilities({.version = DaemonVersion(),
                                             .epoch = options.epoch,
                                             .backend = std::move(options.backend),
                                             .page_layout = std::move(options.page_layout),
                                             .message_bytes = limits.message_bytes(),
                                             .inline_tensor_bytes = limits.inline_tensor_bytes(),
                                             .presets = std::move(options.presets)},
                                            ToEngineOptions(config_));
  for (const config::v1::Tenant& tenant : config_.tenants()) {
    context_->tenant_names.push_back(tenant.name());
  }
  context_->start_time = absl::Now();
  context_->drain = std::move(options.on_drain_request);
}

std::string Server::Impl::TenantName(const ListenerIdentity& identity) const {
  return identity.admin ? "(admin)" : config_.tenants(identity.tenant).name();
}

absl::StatusOr<Endpoint*> Server::Impl::AddEndpoint(const ListenerIdentity& identity,
                                                    std::string tcp_address) {
  EndpointOptions options;
  options.services = {MakeKvCacheService(context_, identity),
                      MakeAdminService(context_, identity)};
  options.tcp_address = std::move(tcp_address);
  options.message_bytes = context_->message_bytes;
  options.reflection = config_.enable_reflection();
  SLUICE_ASSIGN_OR_RETURN(auto endpoint, Endpoint::Start(std::move(options)));
  endpoints_.push_back(std::move(endpoint));
  return endpoints_.back().get();
}

absl::Status Server::Impl::ListenUnixSocket(const std::string& path, mode_t mode,
                                            const ListenerIdentity& identity) {
  SLUICE_ASSIGN_OR_RETURN(auto listener, UnixListener::Create(path, mode, &connections_));
  sockets_.push_back({.identity = identity, .listener = std::move(listener)});
  LogInfo("listening",
          {{"address", absl::StrCat("unix:", path)}, {"tenant", TenantName(identity)}});
  return absl::OkStatus();
}

absl::Status Server::Impl::ListenHealth(const std::string& address) {
  EndpointOptions options;
  options.tcp_address = address;
  SLUICE_ASSIGN_OR_RETURN(auto endpoint, Endpoint::Start(std::move(options)));
  LogInfo("listening", {{"address", address}, {"port", endpoint->port()}, {"serves", "health"}});
  endpoints_.push_back(std::move(endpoint));
  return absl::OkStatus();
}

absl::Status Server::Impl::ListenMetrics(const std::string& address) {
  SLUICE_ASSIGN_OR_RETURN(exposer_, MetricsExposer::Start(address));
  LogInfo("listening",
          {{"address", address}, {"port", exposer_->port()}, {"serves", "metrics"}});
  return absl::OkStatus();
}

absl::Status Server::Impl::ServeUnixSocket(const Socket& socket) {
  SLUICE_ASSIGN_OR_RETURN(Endpoint* const endpoint, AddEndpoint(socket.identity, ""));
  socket.listener->Start(
      [endpoint](UniqueFd connection) { endpoint->HandOver(std::move(connection)); });
  return absl::OkStatus();
}

absl::Status Server::Impl::ServeTcp(const std::string& address) {
  SLUICE_ASSIGN_OR_RETURN(const Endpoint* const endpoint, AddEndpoint({}, address));
  tcp_port_ = endpoint->port();
  LogInfo("listening", {{"address", address}, {"port", tcp_port_}, {"tenant", TenantName({})}});
  return absl::OkStatus();
}

void Server::Impl::ShowMetrics() {
  std::vector<EngineMetrics::Tenant> tenants;
  for (const config::v1::Tenant& tenant : config_.tenants()) {
    tenants.push_back({.name = tenant.name(), .maximum_bytes = tenant.maximum_bytes()});
  }
  const bool on_gpu = config_.backend() == config::v1::Config::BACKEND_CUDA;
  const v1::GetCapabilitiesResponse& runs = context_->capabilities;
  exposer_->Show({call_metrics_,
                  std::make_shared<EngineMetrics>(engine_, std::move(tenants),
                                                  on_gpu ? "gpu" : "host"),
                  std::make_shared<ProcessMetrics>(
                      ProcessMetrics::Build{runs.version(), runs.backend(), runs.arithmetic()},
                      context_->start_time, &connections_)});
}

void Server::Impl::Drain(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  LogInfo("drain_begins", {{"timeout", absl::FormatDuration(timeout)}});
  for (const auto& endpoint : endpoints_) endpoint->SetServing(false);
  context_->draining.store(true);
  const auto idle = std::make_shared<OnceValue<absl::StatusOr<Empty>>>();
  sluice::Drain command;
  command.done = [idle](absl::StatusOr<Empty> done) { idle->Set(std::move(done)); };
  const bool posted = engine_->Post(std::move(command)).ok();
  const bool finished = posted && idle->WaitFor(timeout * (1 - kFarewellShare)).has_value();
  sessions_.Drain();
  Stop(deadline - absl::Now());
  LogInfo("drain_ends", {{"steps_finished", finished}});
}

void Server::Impl::Stop(absl::Duration timeout) {
  if (std::exchange(stopped_, true)) return;
  exposer_.reset();
  for (const Socket& socket : sockets_) socket.listener->Stop();
  const absl::Time deadline = absl::Now() + timeout;
  context_->calls.AwaitNone(timeout);
  const absl::Time farewell = std::min(deadline, absl::Now() + kLongestFarewell);
  for (const auto& endpoint : endpoints_) {
    endpoint->Shutdown(std::max(farewell - absl::Now(), absl::ZeroDuration()));
  }
  timer_.reset();
  sockets_.clear();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Listen(config::v1::Config config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  SLUICE_RETURN_IF_ERROR(impl->Listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

absl::Status Server::Serve(ServerOptions options, CommandSink* engine) {
  return impl_->Serve(std::move(options), engine);
}

void Server::Drain(absl::Duration timeout) { impl_->Drain(timeout); }
int Server::tcp_port() const { return impl_->tcp_port(); }
int Server::metrics_port() const { return impl_->metrics_port(); }

}  // namespace sluice
