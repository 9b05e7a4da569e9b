// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/available_memory.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>

namespace sluice {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// The files of a control group that say what it may take and what it has taken.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* reclaimable;  // the line of memory.stat with what the kernel drops first
};
constexpr GroupFiles kVersion2 = {"/memory.max", "/memory.current", "inactive_file"};
constexpr GroupFiles kVersion1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                  "total_inactive_file"};

// The number that the file begins with; `otherwise` without one, as in "max".
int64_t NumberIn(const std::string& path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : otherwise;
}

// The number on the file's line of that name; 0 without one.
int64_t NumberOnLine(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string found;
  for (int64_t number = 0; file >> found >> number;) {
    if (found == name) return number;
  }
  return 0;
}

// What one control group leaves below its limit, never below 0. Pages of files
// that nobody used lately count as left, as they do in MemAvailable.
int64_t LeftIn(const std::string& group, const GroupFiles& files) {
  const int64_t limit = NumberIn(group + files.limit, kNoLimit);
  if (limit == kNoLimit) return kNoLimit;
  const int64_t taken = NumberIn(group + files.usage, 0);
  const int64_t reclaimable = NumberOnLine(group + "/memory.stat", files.reclaimable);
  return std::max<int64_t>(0, limit - std::max<int64_t>(0, taken - reclaimable));
}

// The least that a control group and those that it is in leave.
int64_t LeastLeft(const std::string& hierarchy, std::string group, const GroupFiles& files) {
  int64_t least = LeftIn(hierarchy, files);
  for (; group.size() > 1; group.resize(group.rfind('/'))) {
    least = std::min(least, LeftIn(hierarchy + group, files));
  }
  return least;
}

// Lines are "number:controllers:/group"; version 2 has no controllers there.
int64_t LeftByControlGroups(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  int64_t least = kNoLimit;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, LeastLeft(root + "/sys/fs/cgroup", group, kVersion2));
    } else if (controllers == "memory") {
      least = std::min(least, LeastLeft(root + "/sys/fs/cgroup/memory", group, kVersion1));
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
    return std::min(bytes, LeftByControlGroups(root));
  }
  return std::nullopt;
}

}  // namespace sluice
