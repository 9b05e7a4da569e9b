// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/cpp/address.h"

#include <sys/un.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sluice::client {
namespace {

constexpr size_t kMaxPathBytes = sizeof(sockaddr_un{}.sun_path) - 1;

absl::Status CheckPath(absl::string_view address, absl::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > kMaxPathBytes) {
    return absl::InvalidArgumentError(absl::StrCat("address: the path of \"", address,
                                                   "\" must be absolute and at most ",
                                                   kMaxPathBytes, " bytes long"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string DefaultAddress() {
  const char* runtime_folder = std::getenv("XDG_RUNTIME_DIR");
  const bool has_folder = runtime_folder != nullptr && *runtime_folder == '/';
  return absl::StrCat("unix:", has_folder ? runtime_folder : "/run", "/sluice/sluice.sock");
}

absl::Status CheckAddress(absl::string_view address) {
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) return CheckPath(address, path);
  const size_t colon = address.rfind(':');
  const bool has_host =
      colon != absl::string_view::npos && colon > 0 && address.find('/') == absl::string_view::npos;
  int port = 0;
  if (!has_host || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("address: \"", address, "\" is neither unix:/path nor host:port"));
  }
  return absl::OkStatus();
}

}  // namespace sluice::client
