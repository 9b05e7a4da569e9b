// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sluice/config/v1/config.pb.h"

namespace sluice {

// What flags say; absent: what the file says.
struct ConfigOverrides {
  std::optional<std::string> listen;           // "unix:/path", or a loopback "address:port"
  std::optional<std::string> metrics_address;  // "" or "off": none
  std::optional<std::string> pool_bytes;       // a number
  std::optional<std::string> log_level;        // debug, info, warning or error
};

// The configuration in force: defaults, then `json` (a sluice.config.v1.Config
// as proto3 JSON; empty: nothing), then `overrides`. Every field is set.
//
// INVALID_ARGUMENT: not JSON, an unknown field, or a value out of range, naming
// the field.
absl::StatusOr<config::v1::Config> MakeConfig(const std::string& json,
                                              const ConfigOverrides& overrides);

// The file's content. INVALID_ARGUMENT: the path or the file is empty. NOT_FOUND
// and other codes of the system, naming the path.
absl::StatusOr<std::string> ReadConfigFile(const std::string& path);

// For people to read; MakeConfig takes it again.
std::string ConfigToJson(const config::v1::Config& config);

}  // namespace sluice
