// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "kernels/device/device_fault.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/device/device_backend.h"
#include "tests/kernels/sim/faulty_runtime.h"

namespace sluice {
namespace {

using sim::RuntimeFaults;

DeviceBackend::Options Small() {
  DeviceBackend::Options options;
  options.table_bytes = 1024;
  options.table_staging_bytes = 2048;
  options.staging_bytes = 4096;
  options.scratch_bytes = 8192;
  return options;
}

std::unique_ptr<DeviceBackend> Make(RuntimeFaults& faults) {
  return std::make_unique<DeviceBackend>(Small(), "faulty",
                                         std::make_unique<sim::FaultyRuntime>(faults));
}

// An operation of one launch and one wait.
void CopyOnce(DeviceBackend& backend, Lane lane) {
  const std::vector<float> from(100, 3.0f);
  std::vector<float> to(100);
  const ScoreCopy copy = {from.data(), to.data(), 100};
  backend.Submit(lane, CopyScoresArgs{&copy, 1});
  backend.WaitIdle();
  ASSERT_EQ(to, from);
}

TEST(DeviceFaultTest, MemoryIsNamedWithItsBytes) {
  EXPECT_EQ(device::NoMemory(64, "host memory", -1).text, "no 64 bytes of host memory");
  EXPECT_EQ(device::NoMemory(64, "memory", 12).text, "no 64 bytes of memory, 12 are free");
  EXPECT_TRUE(device::NoMemory(64, "memory", 0).is_memory);
  EXPECT_TRUE(device::DeviceFault{}.empty());
}

// The allocations fail one after the other, until the backend can be made.
TEST(DeviceFaultTest, EveryAllocationThatFailsIsAFaultAndLeavesNothing) {
  for (int64_t failing = 1;; ++failing) {
    RuntimeFaults faults;
    faults.allocation = failing;
    auto backend = Make(faults);
    if (faults.allocations < failing) {
      EXPECT_EQ(failing, 9);
      EXPECT_TRUE(backend->fault().empty());
      CopyOnce(*backend, Lane::kForeground);
      break;
    }
    EXPECT_TRUE(backend->fault().is_memory);
    const std::string wanted[] = {
        "no 1280 bytes of the device's memory for tables, 12 are free",
        "no 2048 bytes of host memory for tables",
        "no 4096 bytes of host memory for operations of the device",
        "no 4096 bytes of the device's memory for operations, 12 are free",
        "no 8192 bytes of the device's memory for operations, 12 are free",
    };
    // Staging and scratch are taken for each lane.
    EXPECT_EQ(backend->fault().text, wanted[failing <= 5 ? failing - 1 : failing - 4]);
    backend.reset();
    EXPECT_EQ(faults.held, 0);
  }
}

class DeviceLossTest : public testing::Test {
 protected:
  DeviceLossTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

using DeviceLossDeathTest = DeviceLossTest;

TEST_F(DeviceLossDeathTest, ALaunchThatFailsEndsTheProcess) {
  RuntimeFaults faults;
  faults.launch = 1;
  EXPECT_EXIT(CopyOnce(*Make(faults), Lane::kForeground),
              testing::ExitedWithCode(device::kDeviceLostExitCode),
              "^the device failed: a launch: it is gone\n$");
}

TEST_F(DeviceLossDeathTest, AWaitThatFailsEndsTheProcess) {
  RuntimeFaults faults;
  faults.wait = 3;
  const auto copy_in_both_lanes = [&] {
    const auto backend = Make(faults);
    for (int i = 0; i < 2; ++i) {
      CopyOnce(*backend, Lane::kForeground);
      CopyOnce(*backend, Lane::kBackground);
    }
  };
  EXPECT_EXIT(copy_in_both_lanes(), testing::ExitedWithCode(device::kDeviceLostExitCode),
              "^the device failed: a wait: it is gone\n$");
}

TEST_F(DeviceLossDeathTest, OneLineIsSaidHoweverManyThreadsLearnOfIt) {
  const auto fail_everywhere = [] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([] { device::EndLostDevice("a call", "it is gone"); });
    }
    for (std::thread& thread : threads) thread.join();
  };
  EXPECT_EXIT(fail_everywhere(), testing::ExitedWithCode(device::kDeviceLostExitCode),
              "^the device failed: a call: it is gone\n$");
}

}  // namespace
}  // namespace sluice
