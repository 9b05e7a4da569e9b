// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/config_options.h"

#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

BackendKind ToBackendKind(config::v1::Config::Backend backend) {
  using config::v1::Config;
  switch (backend) {
    case Config::BACKEND_REFERENCE:
      return BackendKind::kReference;
    case Config::BACKEND_CUDA:
      return BackendKind::kCuda;
    default:
      return BackendKind::kCpu;
  }
}

}  // namespace

EngineOptions ToEngineOptions(const config::v1::Config& config) {
  EngineOptions options;
  for (const config::v1::Tenant& tenant : config.tenants()) {
    options.tenants.push_back({.name = tenant.name(),
                               .maximum_bytes = tenant.maximum_bytes(),
                               .guaranteed_bytes = tenant.guaranteed_bytes()});
  }
  options.slab_bytes = config.pool().slab_bytes();
  options.pool_bytes = config.pool().bytes() / options.slab_bytes * options.slab_bytes;
  options.job_reserve_bytes = config.pool().job_reserve_bytes();
  options.high_watermark = config.pool().high_watermark();
  options.low_watermark = config.pool().low_watermark();
  const config::v1::Limits& limits = config.limits();
  options.max_sequences = limits.sequences();
  options.max_sequence_tokens = limits.sequence_tokens();
  options.max_models = limits.models();
  options.max_sessions = limits.sessions();
  options.max_step_entries = limits.step_entries();
  options.queue_length = limits.queue_length();
  options.step_time_limit = ToDuration(config.step_time_limit());
  options.default_lease = ToDuration(config.default_lease());
  options.backend = ToBackendKind(config.backend());
  options.arithmetic = config.arithmetic() == config::v1::Config::ARITHMETIC_BF16
                           ? Arithmetic::kBf16
                           : Arithmetic::kFp32;
  options.worker_threads = config.worker_threads();
  return options;
}

LogOptions ToLogOptions(const config::v1::Logging& logging) {
  using config::v1::Logging;
  LogOptions options;
  options.format =
      logging.format() == Logging::FORMAT_JSON ? LogFormat::kJson : LogFormat::kText;
  switch (logging.level()) {
    case Logging::LEVEL_DEBUG:
      options.min_severity = LogSeverity::kDebug;
      break;
    case Logging::LEVEL_WARNING:
      options.min_severity = LogSeverity::kWarning;
      break;
    case Logging::LEVEL_ERROR:
      options.min_severity = LogSeverity::kError;
      break;
    default:
      options.min_severity = LogSeverity::kInfo;
  }
  return options;
}

}  // namespace sluice
