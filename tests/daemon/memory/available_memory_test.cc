// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/memory/available_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/testing/temp_dir.h"

namespace sluice {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class AvailableMemoryTest : public testing::Test {
 protected:
  AvailableMemoryTest() {
    Write("proc/meminfo", "MemTotal: 9000000 kB\nMemFree: 10 kB\nMemAvailable:  1048576 kB\n");
  }

  void Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = directory_.File(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }

  std::optional<int64_t> Available() { return AvailableMemoryBytesUnder(directory_.File("")); }

  const TempDir directory_;
};

TEST_F(AvailableMemoryTest, IsWhatTheKernelSays) { EXPECT_EQ(Available(), 1024 * kMiB); }

TEST_F(AvailableMemoryTest, IsUnknownWhereTheKernelDoesNotSay) {
  Write("proc/meminfo", "MemTotal: 9000000 kB\n");
  EXPECT_EQ(Available(), std::nullopt);
}

TEST_F(AvailableMemoryTest, IsNoMoreThanAnyControlGroupAboveAllows) {
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(Available(), 1024 * kMiB);
  Write("sys/fs/cgroup/a/memory.max", std::to_string(100 * kMiB) + "\n");
  EXPECT_EQ(Available(), 100 * kMiB);
  Write("sys/fs/cgroup/memory.max", std::to_string(50 * kMiB) + "\n");
  EXPECT_EQ(Available(), 50 * kMiB);
}

TEST_F(AvailableMemoryTest, KnowsTheOlderControlGroups) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/a\n0::/\n");
  Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "20971520\n");
  EXPECT_EQ(Available(), 20 * kMiB);
}

TEST_F(AvailableMemoryTest, IsLessByWhatTheControlGroupHasTaken) {
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("sys/fs/cgroup/a/b/memory.max", std::to_string(100 * kMiB) + "\n");
  Write("sys/fs/cgroup/a/b/memory.current", std::to_string(30 * kMiB) + "\n");
  EXPECT_EQ(Available(), 70 * kMiB);
  Write("sys/fs/cgroup/a/memory.max", std::to_string(90 * kMiB) + "\n");
  Write("sys/fs/cgroup/a/memory.current", std::to_string(50 * kMiB) + "\n");
  EXPECT_EQ(Available(), 40 * kMiB);
  Write("sys/fs/cgroup/a/memory.current", std::to_string(91 * kMiB) + "\n");
  EXPECT_EQ(Available(), 0);
}

TEST_F(AvailableMemoryTest, CountsFilesThatTheKernelDropsFirstAsLeft) {
  Write("proc/self/cgroup", "0::/a\n");
  Write("sys/fs/cgroup/a/memory.max", std::to_string(100 * kMiB) + "\n");
  Write("sys/fs/cgroup/a/memory.current", std::to_string(95 * kMiB) + "\n");
  Write("sys/fs/cgroup/a/memory.stat",
        "anon 9\nactive_file 8\ninactive_file " + std::to_string(60 * kMiB) + "\n");
  EXPECT_EQ(Available(), 65 * kMiB);
}

TEST_F(AvailableMemoryTest, OfTheOlderControlGroupsIsLessByWhatTheyHaveTaken) {
  Write("proc/self/cgroup", "4:memory:/a\n");
  Write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "20971520\n");
  Write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "9437184\n");
  Write("sys/fs/cgroup/memory/a/memory.stat",
        "inactive_file 5\ntotal_inactive_file 1048576\n");
  EXPECT_EQ(Available(), 12 * kMiB);
}

TEST_F(AvailableMemoryTest, OfThisMachineIsPartOfItsMemory) {
  const int64_t all = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  const std::optional<int64_t> available = AvailableMemoryBytes();
  ASSERT_TRUE(available.has_value());
  EXPECT_GT(*available, 0);
  EXPECT_LE(*available, all);
}

}  // namespace
}  // namespace sluice
