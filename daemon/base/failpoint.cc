// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/base/failpoint.h"

#include <map>
#include <string>
#include <utility>

#include "daemon/base/mutex.h"

namespace sluice {
namespace {

struct Armed {
  absl::Status status;
  int passes_left = 0;
};

struct Registry {
  Mutex mu;
  std::map<std::string, Armed> armed ABSL_GUARDED_BY(mu);
};

Registry& GetRegistry() {
  static auto& registry = *new Registry;  // lives on: threads may outlast main
  return registry;
}

}  // namespace

void ArmFailpoint(absl::string_view name, absl::Status status, int count) {
  Registry& registry = GetRegistry();
  MutexLock lock(&registry.mu);
  registry.armed[std::string(name)] = Armed{std::move(status), count};
}

void DisarmFailpoints() {
  Registry& registry = GetRegistry();
  MutexLock lock(&registry.mu);
  registry.armed.clear();
}

absl::Status FailpointStatus(absl::string_view name) {
  Registry& registry = GetRegistry();
  MutexLock lock(&registry.mu);
  const auto it = registry.armed.find(std::string(name));
  if (it == registry.armed.end() || it->second.passes_left <= 0) return absl::OkStatus();
  --it->second.passes_left;
  return it->second.status;
}

}  // namespace sluice
