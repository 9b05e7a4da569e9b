// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/available_memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>

namespace sluice {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// The number that the file begins with; kNoLimit without one, as in "max".
int64_t LimitIn(const std::string& path) {
  std::ifstream file(path);
  int64_t bytes = 0;
  return file >> bytes ? bytes : kNoLimit;
}

// The least limit of a control group and of those that it is in.
int64_t LeastLimit(const std::string& hierarchy, std::string group, const std::string& file) {
  int64_t least = LimitIn(hierarchy + file);
  for (; group.size() > 1; group.resize(group.rfind('/'))) {
    least = std::min(least, LimitIn(hierarchy + group + file));
  }
  return least;
}

// Lines are "number:controllers:/group"; version 2 has no controllers there.
int64_t ControlGroupLimit(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  int64_t least = kNoLimit;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, LeastLimit(root + "/sys/fs/cgroup", group, "/memory.max"));
    } else if (controllers == "memory") {
      least = std::min(least, LeastLimit(root + "/sys/fs/cgroup/memory", group,
                                         "/memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace

std::optional<int64_t> AvailableMemoryBytes() { return AvailableMemoryBytesUnder(""); }

std::optional<int64_t> AvailableMemoryBytesUnder(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    constexpr char kName[] = "MemAvailable:";
    if (line.rfind(kName, 0) != 0) continue;
    const int64_t bytes = std::strtoll(line.c_str() + sizeof(kName) - 1, nullptr, 10) * 1024;
    return std::min(bytes, ControlGroupLimit(root));
  }
  return std::nullopt;
}

}  // namespace sluice
