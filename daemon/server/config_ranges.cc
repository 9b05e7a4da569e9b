// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/config_ranges.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/base/reason.h"
#include "daemon/base/status_macros.h"
#include "daemon/rpc/validate_common.h"

namespace sluice {
namespace {

using config::v1::Config;

constexpr int64_t kKiB = int64_t{1} << 10;
constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGiB = int64_t{1} << 30;
constexpr size_t kMaxSocketPathBytes = 107;  // of sockaddr_un, less its end
constexpr int64_t kOtherFiles = 64;          // open files beside connections

struct BoundedField {
  const char* name;
  int64_t value;
  int64_t low;
  int64_t high;
};

template <size_t n>
absl::Status CheckAll(const std::array<BoundedField, n>& fields) {
  for (const BoundedField& field : fields) {
    SLUICE_RETURN_IF_ERROR(CheckRange(field.name, field.value, field.low, field.high));
  }
  return absl::OkStatus();
}

// Written so that NaN fails.
absl::Status CheckShare(const char* field, double value, double high) {
  if (value > 0 && value <= high) return absl::OkStatus();
  return RefuseField(field, absl::StrCat("must be above 0, at most ", high, ", got ", value));
}

absl::Status CheckPool(const config::v1::Pool& pool) {
  SLUICE_RETURN_IF_ERROR(CheckShare("pool.high_watermark", pool.high_watermark(), 1));
  SLUICE_RETURN_IF_ERROR(
      CheckShare("pool.low_watermark", pool.low_watermark(), pool.high_watermark()));
  SLUICE_RETURN_IF_ERROR(CheckAll<3>({{
      {"pool.bytes", pool.bytes(), 16 * kMiB, 1024 * kGiB},
      {"pool.slab_bytes", pool.slab_bytes(), 64 * kKiB, 64 * kMiB},
      {"pool.job_reserve_bytes", pool.job_reserve_bytes(), 0, pool.bytes() / 2},
  }}));
  if ((pool.slab_bytes() & (pool.slab_bytes() - 1)) == 0) return absl::OkStatus();
  return RefuseField("pool.slab_bytes",
                     absl::StrCat("must be a power of two, got ", pool.slab_bytes(), " bytes"));
}

absl::Status CheckLimits(const config::v1::Limits& limits) {
  return CheckAll<11>({{
      {"limits.inline_tensor_bytes", limits.inline_tensor_bytes(), 4 * kKiB, 512 * kMiB},
      {"limits.message_bytes", limits.message_bytes(),
       std::max(64 * kKiB, limits.inline_tensor_bytes()), kGiB},
      {"limits.sessions", limits.sessions(), 1, 65536},
      {"limits.sequences", limits.sequences(), 1, kMiB},
      {"limits.sequence_tokens", limits.sequence_tokens(), 1, 16 * kMiB},
      {"limits.models", limits.models(), 1, 1024},
      {"limits.step_entries", limits.step_entries(), 1, 65536},
      {"limits.queue_length", limits.queue_length(), 1, 65536},
      {"limits.calls_per_session", limits.calls_per_session(), 1, 4096},
      {"limits.connections", limits.connections(), 1, 65536},
      {"limits.connections_per_user", limits.connections_per_user(), 1, limits.connections()},
  }});
}

absl::Status CheckOpenFiles(const config::v1::Limits& limits) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max == RLIM_INFINITY) {
    return absl::OkStatus();
  }
  const auto most = static_cast<int64_t>(files.rlim_max) - kOtherFiles;
  if (limits.connections() <= most) return absl::OkStatus();
  return RefuseField("limits.connections",
                     absl::StrCat("must be at most ", most, ", the limit of open files less ",
                                  kOtherFiles, ", got ", limits.connections()));
}

absl::Status CheckTimes(const Config& config) {
  SLUICE_RETURN_IF_ERROR(CheckDuration("step_time_limit", config.step_time_limit(),
                                       absl::Milliseconds(100), absl::Hours(1)));
  SLUICE_RETURN_IF_ERROR(CheckDuration("default_lease", config.default_lease(), absl::Seconds(1),
                                       absl::Hours(24)));
  SLUICE_RETURN_IF_ERROR(CheckDuration("heartbeat_limit", config.heartbeat_limit(),
                                       absl::Seconds(1), absl::Minutes(10)));
  return CheckDuration("drain_timeout", config.drain_timeout(), absl::ZeroDuration(),
                       absl::Minutes(10));
}

absl::Status CheckArithmetic(const Config& config) {
  if (config.arithmetic() == Config::ARITHMETIC_FP32) return absl::OkStatus();
  if (config.arithmetic() != Config::ARITHMETIC_BF16) {
    return RefuseField("arithmetic", absl::StrCat("must be ARITHMETIC_FP32 or ARITHMETIC_BF16, "
                                                  "got ",
                                                  config.arithmetic()));
  }
  if (config.backend() == Config::BACKEND_CUDA) return absl::OkStatus();
  return RefuseField("arithmetic", absl::StrCat("must be ARITHMETIC_FP32, the only one that ",
                                                Config::Backend_Name(config.backend()),
                                                " has, got ARITHMETIC_BF16"));
}

absl::Status CheckEnums(const Config& config) {
  using config::v1::Logging;
  SLUICE_RETURN_IF_ERROR(
      CheckEnum("backend", config.backend(), Config::Backend_IsValid(config.backend()), true));
  SLUICE_RETURN_IF_ERROR(CheckEnum("logging.level", config.logging().level(),
                                   Logging::Level_IsValid(config.logging().level()), true));
  SLUICE_RETURN_IF_ERROR(CheckEnum("logging.format", config.logging().format(),
                                   Logging::Format_IsValid(config.logging().format()), true));
  return CheckArithmetic(config);
}

absl::Status CheckTenant(const std::string& field, const config::v1::Tenant& tenant,
                         int64_t pool_bytes) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  const std::string& name = tenant.name();
  if (name.empty() || name.size() > 63 || !std::all_of(name.begin(), name.end(), good)) {
    return RefuseField(field + ".name", absl::StrCat("must be 1 to 63 characters of a-z, 0-9, - "
                                                     "and _, got '", name, "'"));
  }
  SLUICE_RETURN_IF_ERROR(CheckSocketPath(field + ".socket_path", tenant.socket_path()));
  SLUICE_RETURN_IF_ERROR(CheckRange(FieldPath((field + ".maximum_bytes").c_str()),
                                    tenant.maximum_bytes(), 0, pool_bytes));
  return CheckRange(FieldPath((field + ".guaranteed_bytes").c_str()), tenant.guaranteed_bytes(),
                    0, tenant.maximum_bytes());
}

absl::Status CheckTenants(const Config& config) {
  constexpr int kMaxTenants = 64;
  if (config.tenants_size() > kMaxTenants) {
    return RefuseField("tenants", absl::StrCat("must have at most ", kMaxTenants,
                                               " elements, got ", config.tenants_size()));
  }
  if (!config.listen().socket_path().empty()) {
    return RefuseField("listen.socket_path", "must be absent where tenants are given");
  }
  std::set<std::string> names;
  std::set<std::string> sockets = {config.listen().admin_socket_path()};
  int64_t guaranteed_bytes = 0;
  for (int i = 0; i < config.tenants_size(); ++i) {
    const std::string field = absl::StrCat("tenants[", i, "]");
    const config::v1::Tenant& tenant = config.tenants(i);
    SLUICE_RETURN_IF_ERROR(CheckTenant(field, tenant, config.pool().bytes()));
    if (!names.insert(tenant.name()).second || !sockets.insert(tenant.socket_path()).second) {
      return RefuseField(field, "another tenant has its name or socket");
    }
    guaranteed_bytes += tenant.guaranteed_bytes();
    if (guaranteed_bytes > config.pool().bytes()) {
      return RefuseField(field + ".guaranteed_bytes",
                         absl::StrCat("the guarantees up to this one are ", guaranteed_bytes,
                                      " bytes, more than the pool"));
    }
  }
  return absl::OkStatus();
}

// The port after the last colon; -1 without one in 0 to 65535.
int PortOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos) return -1;
  const std::string digits = address.substr(colon + 1);
  if (!absl::c_all_of(digits, absl::ascii_isdigit) || !absl::SimpleAtoi(digits, &port)) return -1;
  return port >= 0 && port <= 65535 ? port : -1;
}

// Empty is for none. A host that nobody has is only found when it is listened on.
absl::Status CheckHostAndPort(const char* field, const std::string& address) {
  const size_t colon = address.rfind(':');
  const bool has_host = colon != std::string::npos && colon > 0;
  const bool is_path = address.find('/') != std::string::npos;
  if (address.empty() || (has_host && !is_path && PortOf(address) >= 0)) return absl::OkStatus();
  return RefuseField(field, absl::StrCat("must be host:port, got '", address, "'"));
}

absl::Status CheckListen(const config::v1::Listen& listen) {
  if (!listen.admin_socket_path().empty()) {
    SLUICE_RETURN_IF_ERROR(
        CheckSocketPath("listen.admin_socket_path", listen.admin_socket_path()));
  }
  SLUICE_RETURN_IF_ERROR(CheckHostAndPort("listen.metrics_address", listen.metrics_address()));
  SLUICE_RETURN_IF_ERROR(CheckHostAndPort("listen.health_address", listen.health_address()));
  if (listen.tcp_address().empty() || IsLoopback(listen.tcp_address())) return absl::OkStatus();
  return RefuseField("listen.tcp_address",
                     absl::StrCat("must be 127.0.0.1:port or [::1]:port, since there is no TLS, "
                                  "got '", listen.tcp_address(), "'"));
}

}  // namespace

absl::Status CheckSocketPath(const std::string& field, const std::string& path) {
  if (absl::StartsWith(path, "/") && path.size() <= kMaxSocketPathBytes) return absl::OkStatus();
  return RefuseField(field, absl::StrCat("must be an absolute path of at most ",
                                         kMaxSocketPathBytes, " bytes, got '", path, "'"));
}

absl::Status CheckRanges(const Config& config) {
  SLUICE_RETURN_IF_ERROR(CheckPool(config.pool()));
  SLUICE_RETURN_IF_ERROR(CheckLimits(config.limits()));
  SLUICE_RETURN_IF_ERROR(CheckOpenFiles(config.limits()));
  SLUICE_RETURN_IF_ERROR(CheckRange("worker_threads", config.worker_threads(), 0, 1024));
  SLUICE_RETURN_IF_ERROR(CheckTimes(config));
  SLUICE_RETURN_IF_ERROR(CheckEnums(config));
  SLUICE_RETURN_IF_ERROR(CheckListen(config.listen()));
  return CheckTenants(config);
}

bool IsLoopback(const std::string& address) {
  if (PortOf(address) < 0) return false;
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "127.0.0.1" || host == "[::1]";
}

}  // namespace sluice
