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
#include "daemon/server/unix_listener.h"

namespace sluice {
namespace {

constexpr mode_t kTenantSocketMode = 0660;
constexpr mode_t kAdminSocketMode = 0600;
constexpr absl::Duration kLongestCheck = absl::Seconds(1);
// What of the time to drain is left for telling sessions and closing connections.
constexpr double kFarewellShare = 0.1;

}  // namespace

const char* DaemonVersion() { return SLUICE_VERSION; }

class Server::Impl {
 public:
  Impl(ServerOptions options, CommandSink* engine)
      : options_(std::move(options)),
        engine_(*engine),
        sessions_(options_.config.limits().sessions()),
        connections_(options_.config.limits().connections(),
                     options_.config.limits().connections_per_user()) {
    FillContext();
  }

  ~Impl() { Stop(absl::ZeroDuration()); }

  absl::Status Start();
  void Drain(absl::Duration timeout);
  int tcp_port() const { return tcp_port_; }
  int metrics_port() const { return exposer_ == nullptr ? 0 : exposer_->port(); }

 private:
  void FillContext();
  absl::StatusOr<Endpoint*> AddEndpoint(const ListenerIdentity& identity, std::string tcp_address);
  absl::Status ListenUnixSocket(const std::string& path, mode_t mode,
                                const ListenerIdentity& identity);
  absl::Status ListenTcp(const std::string& address);
  absl::Status ListenHealth(const std::string& address);
  absl::Status ServeMetrics();
  void Stop(absl::Duration timeout);

  const ServerOptions options_;
  CommandSink& engine_;
  SessionTable sessions_;
  ConnectionTable connections_;
  const std::shared_ptr<CallMetrics> call_metrics_ = std::make_shared<CallMetrics>();
  const std::shared_ptr<ServiceContext> context_ = std::make_shared<ServiceContext>();
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<UnixListener>> listeners_;
  std::unique_ptr<PeriodicThread> timer_;
  std::unique_ptr<MetricsExposer> exposer_;
  int tcp_port_ = 0;
  bool stopped_ = false;
};

void Server::Impl::FillContext() {
  const config::v1::Config& config = options_.config;
  context_->engine = &engine_;
  context_->observer = call_metrics_;
  context_->sessions = &sessions_;
  context_->rules = {.epoch = options_.epoch,
                    .inline_tensor_bytes = config.limits().inline_tensor_bytes(),
                    .step_entries = config.limits().step_entries(),
                    .sequence_tokens = config.limits().sequence_tokens()};
  context_->calls_per_session = config.limits().calls_per_session();
  context_->message_bytes = config.limits().message_bytes();
  context_->heartbeat_limit = ToDuration(config.heartbeat_limit());
  context_->capabilities = MakeCapabilities(
      {.version = DaemonVersion(),
       .epoch = options_.epoch,
       .backend = options_.backend,
       .page_layout = options_.page_layout,
       .message_bytes = config.limits().message_bytes(),
       .inline_tensor_bytes = config.limits().inline_tensor_bytes(),
       .presets = options_.presets},
      ToEngineOptions(config));
  for (const config::v1::Tenant& tenant : config.tenants()) {
    context_->tenant_names.push_back(tenant.name());
  }
  context_->start_time = absl::Now();
  context_->drain = options_.on_drain_request;
}

absl::Status Server::Impl::Start() {
  // A malformed request is its sender's to hear of, not a line in the log.
  google::protobuf::SetLogHandler(nullptr);
  const config::v1::Config& config = options_.config;
  for (int i = 0; i < config.tenants_size(); ++i) {
    SLUICE_RETURN_IF_ERROR(
        ListenUnixSocket(config.tenants(i).socket_path(), kTenantSocketMode, {.tenant = i}));
  }
  if (const std::string& path = config.listen().admin_socket_path(); !path.empty()) {
    SLUICE_RETURN_IF_ERROR(ListenUnixSocket(path, kAdminSocketMode, {.admin = true}));
  }
  if (!config.listen().tcp_address().empty()) {
    SLUICE_RETURN_IF_ERROR(ListenTcp(config.listen().tcp_address()));
  }
  if (!config.listen().health_address().empty()) {
    SLUICE_RETURN_IF_ERROR(ListenHealth(config.listen().health_address()));
  }
  if (!config.listen().metrics_address().empty()) SLUICE_RETURN_IF_ERROR(ServeMetrics());
  timer_ = std::make_unique<PeriodicThread>(
      "sluice-timer", std::min(context_->heartbeat_limit / 10, kLongestCheck),
      [this] { sessions_.EndIdle(context_->heartbeat_limit); });
  return absl::OkStatus();
}

absl::StatusOr<Endpoint*> Server::Impl::AddEndpoint(const ListenerIdentity& identity,
                                                    std::string tcp_address) {
  EndpointOptions options;
  options.services = {MakeKvCacheService(context_, identity),
                      MakeAdminService(context_, identity)};
  options.tcp_address = std::move(tcp_address);
  options.message_bytes = context_->message_bytes;
  options.reflection = options_.config.enable_reflection();
  SLUICE_ASSIGN_OR_RETURN(auto endpoint, Endpoint::Start(std::move(options)));
  endpoints_.push_back(std::move(endpoint));
  return endpoints_.back().get();
}

absl::Status Server::Impl::ListenUnixSocket(const std::string& path, mode_t mode,
                                            const ListenerIdentity& identity) {
  SLUICE_ASSIGN_OR_RETURN(auto listener, UnixListener::Create(path, mode, &connections_));
  SLUICE_ASSIGN_OR_RETURN(Endpoint* const endpoint, AddEndpoint(identity, ""));
  listener->Start([endpoint](UniqueFd connection) { endpoint->HandOver(std::move(connection)); });
  listeners_.push_back(std::move(listener));
  LogInfo("listening", {{"address", absl::StrCat("unix:", path)},
                        {"tenant", identity.admin ? std::string("(admin)")
                                                  : context_->tenant_names[static_cast<size_t>(
                                                        identity.tenant)]}});
  return absl::OkStatus();
}

absl::Status Server::Impl::ListenTcp(const std::string& address) {
  SLUICE_ASSIGN_OR_RETURN(const Endpoint* const endpoint, AddEndpoint({}, address));
  tcp_port_ = endpoint->port();
  LogInfo("listening", {{"address", address},
                        {"port", tcp_port_},
                        {"tenant", context_->tenant_names[0]}});
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

absl::Status Server::Impl::ServeMetrics() {
  std::vector<EngineMetrics::Tenant> tenants;
  for (const config::v1::Tenant& tenant : options_.config.tenants()) {
    tenants.push_back({.name = tenant.name(), .maximum_bytes = tenant.maximum_bytes()});
  }
  SLUICE_ASSIGN_OR_RETURN(
      exposer_, MetricsExposer::Start(
                    options_.config.listen().metrics_address(),
                    {call_metrics_, std::make_shared<EngineMetrics>(&engine_, std::move(tenants)),
                     std::make_shared<ProcessMetrics>(DaemonVersion(), options_.backend,
                                                      context_->start_time, &connections_)}));
  LogInfo("listening", {{"address", options_.config.listen().metrics_address()},
                        {"port", exposer_->port()},
                        {"serves", "metrics"}});
  return absl::OkStatus();
}

void Server::Impl::Drain(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  LogInfo("drain_begins", {{"timeout", absl::FormatDuration(timeout)}});
  for (const auto& endpoint : endpoints_) endpoint->SetServing(false);
  context_->draining.store(true);
  const auto idle = std::make_shared<OnceValue<absl::StatusOr<Empty>>>();
  sluice::Drain command;
  command.done = [idle](absl::StatusOr<Empty> done) { idle->Set(std::move(done)); };
  const bool posted = engine_.Post(std::move(command)).ok();
  const bool finished = posted && idle->WaitFor(timeout * (1 - kFarewellShare)).has_value();
  sessions_.Drain();
  Stop(deadline - absl::Now());
  LogInfo("drain_ends", {{"steps_finished", finished}});
}

void Server::Impl::Stop(absl::Duration timeout) {
  if (std::exchange(stopped_, true)) return;
  exposer_.reset();
  for (const auto& listener : listeners_) listener->Stop();
  const absl::Time deadline = absl::Now() + timeout;
  for (const auto& endpoint : endpoints_) {
    endpoint->Shutdown(std::max(deadline - absl::Now(), absl::ZeroDuration()));
  }
  timer_.reset();
  listeners_.clear();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options, CommandSink* engine) {
  auto impl = std::make_unique<Impl>(std::move(options), engine);
  SLUICE_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

void Server::Drain(absl::Duration timeout) { impl_->Drain(timeout); }
int Server::tcp_port() const { return impl_->tcp_port(); }
int Server::metrics_port() const { return impl_->metrics_port(); }

}  // namespace sluice
