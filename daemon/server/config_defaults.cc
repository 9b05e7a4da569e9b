// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/config_defaults.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace sluice {
namespace {

using config::v1::Config;

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kEnvelopeBytes = int64_t{64} << 10;  // of a message beside its tensors

void FillPool(config::v1::Pool& pool) {
  if (pool.bytes() == 0) pool.set_bytes(256 * kMiB);
  if (pool.slab_bytes() == 0) pool.set_slab_bytes(2 * kMiB);
  if (!pool.has_job_reserve_bytes()) {
    pool.set_job_reserve_bytes(std::min(std::max(pool.bytes() / 50, 16 * kMiB), pool.bytes() / 4));
  }
  if (pool.high_watermark() == 0) pool.set_high_watermark(0.9);
  if (pool.low_watermark() == 0) pool.set_low_watermark(std::min(0.8, pool.high_watermark()));
}

void FillLimits(config::v1::Limits& limits) {
  const auto fill = [&limits](auto get, auto set, int64_t value) {
    if ((limits.*get)() == 0) (limits.*set)(value);
  };
  using L = config::v1::Limits;
  fill(&L::inline_tensor_bytes, &L::set_inline_tensor_bytes, 64 * kMiB);
  fill(&L::message_bytes, &L::set_message_bytes, limits.inline_tensor_bytes() + kEnvelopeBytes);
  fill(&L::sessions, &L::set_sessions, 256);
  fill(&L::sequences, &L::set_sequences, 4096);
  fill(&L::sequence_tokens, &L::set_sequence_tokens, kMiB);
  fill(&L::models, &L::set_models, 16);
  fill(&L::step_entries, &L::set_step_entries, 4096);
  fill(&L::queue_length, &L::set_queue_length, 1024);
  fill(&L::calls_per_session, &L::set_calls_per_session, 64);
  fill(&L::connections, &L::set_connections, 512);
  fill(&L::connections_per_user, &L::set_connections_per_user,
       std::min<int64_t>(256, limits.connections()));
}

void FillTimes(Config& config) {
  if (!config.has_step_time_limit()) config.mutable_step_time_limit()->set_seconds(60);
  if (!config.has_default_lease()) config.mutable_default_lease()->set_seconds(600);
  if (!config.has_heartbeat_limit()) config.mutable_heartbeat_limit()->set_seconds(10);
  if (!config.has_drain_timeout()) config.mutable_drain_timeout()->set_seconds(10);
}

void FillEnums(Config& config) {
  if (config.backend() == Config::BACKEND_UNSPECIFIED) config.set_backend(Config::BACKEND_CPU);
  if (config.arithmetic() == Config::ARITHMETIC_UNSPECIFIED) {
    config.set_arithmetic(config.backend() == Config::BACKEND_CUDA ? Config::ARITHMETIC_BF16
                                                                   : Config::ARITHMETIC_FP32);
  }
  using config::v1::Logging;
  if (config.logging().level() == Logging::LEVEL_UNSPECIFIED) {
    config.mutable_logging()->set_level(Logging::LEVEL_INFO);
  }
  if (config.logging().format() == Logging::FORMAT_UNSPECIFIED) {
    config.mutable_logging()->set_format(Logging::FORMAT_TEXT);
  }
}

void FillTenants(Config& config) {
  if (config.tenants_size() == 0) {
    if (config.listen().socket_path().empty()) {
      config.mutable_listen()->set_socket_path(DefaultSocketPath());
    }
    config::v1::Tenant* tenant = config.add_tenants();
    tenant->set_name("default");
    tenant->set_socket_path(config.listen().socket_path());
    config.mutable_listen()->clear_socket_path();
  }
  for (config::v1::Tenant& tenant : *config.mutable_tenants()) {
    if (tenant.maximum_bytes() == 0) tenant.set_maximum_bytes(config.pool().bytes());
  }
}

}  // namespace

void FillDefaults(Config& config) {
  FillPool(*config.mutable_pool());
  FillLimits(*config.mutable_limits());
  FillTimes(config);
  FillEnums(config);
  FillTenants(config);
  if (!config.listen().has_metrics_address()) {
    config.mutable_listen()->set_metrics_address("127.0.0.1:9435");
  }
}

std::string DefaultSocketPath() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const bool given = runtime != nullptr && runtime[0] == '/';
  return absl::StrCat(given ? runtime : "/run", "/sluice/sluice.sock");
}

}  // namespace sluice
