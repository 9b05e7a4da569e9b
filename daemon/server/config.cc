// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/config.h"

#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "daemon/base/status_macros.h"
#include "daemon/server/config_defaults.h"
#include "daemon/server/config_ranges.h"

namespace sluice {
namespace {

using config::v1::Config;

absl::StatusOr<Config> ParseJson(const std::string& json) {
  Config config;
  if (json.empty()) return config;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &config, options);
  if (status.ok()) return config;
  return absl::InvalidArgumentError(absl::StrCat("configuration: ", status.ToString()));
}

absl::StatusOr<config::v1::Logging::Level> ToLevel(absl::string_view name) {
  if (name == "debug") return config::v1::Logging::LEVEL_DEBUG;
  if (name == "info") return config::v1::Logging::LEVEL_INFO;
  if (name == "warning") return config::v1::Logging::LEVEL_WARNING;
  if (name == "error") return config::v1::Logging::LEVEL_ERROR;
  return absl::InvalidArgumentError(
      absl::StrCat("--log_level: must be debug, info, warning or error, got '", name, "'"));
}

// 0 is what the file's field is when it is absent, so that it would be the default.
absl::StatusOr<int64_t> ToBytes(const std::string& text) {
  int64_t bytes = 0;
  if (absl::SimpleAtoi(text, &bytes) && bytes != 0) return bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("--pool_bytes: must be a number of bytes above 0, got '", text, "'"));
}

absl::Status ApplyListen(absl::string_view listen, Config& config) {
  const absl::string_view given = listen;
  const bool is_socket = absl::ConsumePrefix(&listen, "unix:");
  if (listen.empty() || (!is_socket && !IsLoopback(std::string(listen)))) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen: must be unix:/path, 127.0.0.1:port or [::1]:port, since there is "
                     "no TLS, got '", given, "'"));
  }
  if (!is_socket) {
    config.mutable_listen()->set_tcp_address(std::string(listen));
    return absl::OkStatus();
  }
  if (config.tenants_size() > 0) {
    return absl::InvalidArgumentError(
        "--listen: the file's tenants name their sockets; a flag cannot name one for all");
  }
  config.mutable_listen()->set_socket_path(std::string(listen));
  return absl::OkStatus();
}

absl::Status Apply(const ConfigOverrides& overrides, Config& config) {
  if (overrides.listen) SLUICE_RETURN_IF_ERROR(ApplyListen(*overrides.listen, config));
  if (overrides.metrics_address) {
    config.mutable_listen()->set_metrics_address(*overrides.metrics_address);
  }
  if (overrides.pool_bytes) {
    SLUICE_ASSIGN_OR_RETURN(const int64_t bytes, ToBytes(*overrides.pool_bytes));
    config.mutable_pool()->set_bytes(bytes);
  }
  if (overrides.log_level) {
    SLUICE_ASSIGN_OR_RETURN(const auto level, ToLevel(*overrides.log_level));
    config.mutable_logging()->set_level(level);
  }
  if (config.listen().metrics_address() == "off") {
    config.mutable_listen()->set_metrics_address("");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> MakeConfig(const std::string& json, const ConfigOverrides& overrides) {
  SLUICE_ASSIGN_OR_RETURN(Config config, ParseJson(json));
  SLUICE_RETURN_IF_ERROR(Apply(overrides, config));
  // By the name it was given by: the defaults make it a tenant's.
  if (const std::string& path = config.listen().socket_path(); !path.empty()) {
    SLUICE_RETURN_IF_ERROR(CheckSocketPath("listen.socket_path", path));
  }
  FillDefaults(config);
  SLUICE_RETURN_IF_ERROR(CheckRanges(config));
  return config;
}

absl::StatusOr<std::string> ReadConfigFile(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("--config: must name a file, got ''");
  std::ifstream file(path);
  std::ostringstream content;
  if (file) content << file.rdbuf();
  if (!file) {
    return absl::ErrnoToStatus(errno == 0 ? EIO : errno, absl::StrCat("--config: ", path));
  }
  // An empty file would else pass for no file at all.
  return content.str().empty() ? absl::StatusOr<std::string>(absl::InvalidArgumentError(
                                     absl::StrCat("--config: ", path, " is empty")))
                               : content.str();
}

std::string ConfigToJson(const Config& config) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Only fails for types that a configuration does not have.
  const auto status = google::protobuf::util::MessageToJsonString(config, &json, options);
  return status.ok() ? json : "";
}

}  // namespace sluice
