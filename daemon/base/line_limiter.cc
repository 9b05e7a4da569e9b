// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/line_limiter.h"

#include <utility>

namespace sluice {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
// Bounds the memory: kinds can be made from what clients send.
constexpr size_t kMaxKinds = 1024;
constexpr absl::string_view kOtherKinds = "";

}  // namespace

std::optional<int64_t> LineLimiter::Admit(absl::string_view kind, absl::Duration now) {
  auto it = kinds_.find(kind);
  if (it == kinds_.end() && kinds_.size() >= kMaxKinds) {
    absl::erase_if(kinds_,
                   [now](const auto& entry) { return now - entry.second.passed_at >= kInterval; });
    if (kinds_.size() >= kMaxKinds) {  // the rest counts as one kind
      kind = kOtherKinds;
      it = kinds_.find(kind);
    }
  }
  if (it == kinds_.end()) {
    kinds_.emplace(std::string(kind), Kind{now, 0});
    return 0;
  }
  if (now - it->second.passed_at < kInterval) {
    ++it->second.held_back;
    return std::nullopt;
  }
  it->second.passed_at = now;
  return std::exchange(it->second.held_back, 0);
}

}  // namespace sluice
